import { expect, test } from '@jest/globals';
import { requestForUser, type Bus } from '@rapport/bus';
import type { Ack } from '@rapport/contracts';
import fc from 'fast-check';
import { answerWith, openHouse, type House } from './kit.ts';
import { textOf } from './recorder.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

const SUBJECT = 'rpc.v1.user.message.send';
const SECRET = 'what-alice-told-her-therapist';

const house = openHouse();

test.each([
  ['is empty', ''],
  ['is not JSON', `{"actor": ${SECRET}`],
  ['is null', 'null'],
  ['is a list', JSON.stringify([ALICE, { ...HELLO, content: SECRET }])],
  ['is a text', JSON.stringify(SECRET)],
  ['has no actor', JSON.stringify({ input: { ...HELLO, content: SECRET } })],
  ['has an actor that is a pattern', JSON.stringify({ actor: { ...ALICE, userId: '>' }, input: HELLO })],
  ['has a role of its own', JSON.stringify({ actor: { ...ALICE, role: 'root' }, input: HELLO })],
  ['has no input', JSON.stringify({ actor: ALICE, content: SECRET })],
  ['has an input that breaks the schema', JSON.stringify({ actor: ALICE, input: { content: SECRET } })],
  ['hides the parts in the prototype', `{"__proto__": {"actor": ${JSON.stringify(ALICE)}}, "input": {}}`],
])('a request whose body %s is INVALID_PAYLOAD and reaches no handler', async (_, body) => {
  const { gateway, service, handled } = await answering(house);

  const raw = await gateway.connection.request(SUBJECT, body);
  const next = await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });

  expect(raw.json()).toMatchObject({ ok: false, error: { code: 'INVALID_PAYLOAD', message: expect.any(String) } });
  expect(raw.headers?.get('Nats-Service-Error')).toBe('INVALID_PAYLOAD');
  expect(raw.headers?.get('Nats-Service-Error-Code')).toBe('400');
  expect(raw.string()).not.toContain(SECRET);
  expect(next.code).toBe('OK');
  expect(handled).toEqual(['hello']);
  expect(textOf(service.observer.told('log'))).not.toContain(SECRET);
});

test('the reply names the fields that are wrong and the rules they break', async () => {
  const { gateway } = await answering(house);
  const input = { recipientId: 'b.o.b', content: '', messageType: 'FILE' };

  const raw = await gateway.connection.request(SUBJECT, JSON.stringify({ actor: ALICE, input }));

  const reply = raw.json<Ack<never>>();
  expect(reply.ok ? [] : reply.error.details?.map(({ path }) => path)).toEqual([
    'recipientId',
    'content',
    'attachment',
  ]);
});

test('no body at all brings the service down', async () => {
  const { gateway } = await answering(house);
  const bytes = fc.uint8Array({ maxLength: 200 });
  const json = fc.json().map(text => new TextEncoder().encode(text));
  const halfRight = fc
    .record({ actor: fc.constantFrom(ALICE, null, []), input: fc.anything() })
    .map(body => new TextEncoder().encode(JSON.stringify(body, (_key, value) => printable(value))));

  await fc.assert(
    fc.asyncProperty(fc.oneof(bytes, json, halfRight), async body => {
      const raw = await gateway.connection.request(SUBJECT, body);
      expect(raw.json()).toMatchObject({ ok: false, error: { code: 'INVALID_PAYLOAD' } });
    }),
    { numRuns: 300 },
  );

  const next = await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });
  expect(next.code).toBe('OK');
});

async function answering(at: House) {
  const [gateway, service] = [await at.join('gateway'), await at.join('messaging-service')];
  const handled: string[] = [];
  await answerWith(at, service satisfies Bus, {
    'message:send': async ({ input }) => {
      handled.push(input.content);
      return aMessage(input.content);
    },
  });
  return { gateway, service, handled };
}

/** What JSON has no word for becomes a text. */
function printable(value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
