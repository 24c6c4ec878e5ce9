import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import ICAL from 'ical.js';
import type { Socket } from 'socket.io-client';
import { connected, emit, output, runningStack, STACK_TIMEOUT_MS } from './kit.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack();
}, STACK_TIMEOUT_MS);

async function urlOf(socket: Socket): Promise<string> {
  const ack = await emit(socket, 'calendar:create');
  if (!ack.ok) throw new Error(ack.error.message);
  return String((ack.data as Record<string, unknown>)['url']);
}

describe('the calendar feed', () => {
  test('is read over HTTP by who has its address, with what changes, and by nobody once it is revoked', async () => {
    const alice = await connected(stack, 'alice');
    const url = await urlOf(alice);
    expect(url.startsWith(`${stack.gateways[0]}/calendar/`)).toBe(true);
    const empty = await fetch(url);
    expect([empty.status, empty.headers.get('content-type'), empty.headers.get('cache-control')]).toEqual([
      200,
      'text/calendar; charset=utf-8',
      'no-store',
    ]);
    const etag = empty.headers.get('etag') ?? '';
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);

    const start = Date.now() + 3_600_000;
    const times = { startTime: new Date(start).toISOString(), endTime: new Date(start + 3_000_000).toISOString() };
    await emit(alice, 'appointment:book', { clientId: 'alice', therapistId: 'dr-bob', timeZone: 'UTC', ...times });
    const changed = await fetch(url, { headers: { 'if-none-match': etag, 'accept-encoding': 'identity' } });
    expect([changed.status, changed.headers.get('content-encoding')]).toEqual([200, null]);
    const calendar = new ICAL.Component(ICAL.parse(await changed.text()) as unknown[]);
    expect(calendar.getAllSubcomponents('vevent').map(event => event.getFirstPropertyValue('summary'))).toEqual([
      'Appointment',
    ]);

    expect(await emit(alice, 'calendar:revoke')).toMatchObject({ ok: true });
    const [revoked, never] = await Promise.all([fetch(url), fetch(url.replace(/[^/]+\.ics/, 'never.ics'))]);
    expect([revoked.status, await revoked.text()]).toEqual([never.status, await never.text()]);
    expect(revoked.status).toBe(404);
    const secret = /calendar\/(.*)\.ics/.exec(url)?.[1] ?? 'none';
    expect(output().filter(line => line.includes(secret))).toEqual([]);
  });

  test.each(['/calendar/a.b.ics', '/calendar/%00.ics', '/calendar/..%2f.ics', `/calendar/${'a'.repeat(101)}.ics`])(
    'is nothing at %s',
    async path => {
      expect((await fetch(`${stack.gateways[0]}${path}`)).status).toBe(404);
    },
  );

  test('is not read faster than a calendar program would, one no more than another', async () => {
    const [bob, carol] = await Promise.all([connected(stack, 'bob'), connected(stack, 'carol')]);
    const [one, other] = [await urlOf(bob), await urlOf(carol)];
    const answers = await Promise.all(Array.from({ length: 40 }, () => fetch(one)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await fetch(other)).status).toBe(200);
  });

  test('is unavailable, not empty, while the service is away', async () => {
    const dave = await connected(stack, 'dave');
    const url = await urlOf(dave);
    const service = stack.programs.get('appointment-service')!;
    service.kill('SIGKILL');
    const answer = await fetch(url);
    await service.ready();
    expect(answer.status).toBe(503);
    expect((await fetch(url)).status).toBe(200);
  });
});
