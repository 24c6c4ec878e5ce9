import { beforeAll, describe, expect, test } from '@jest/globals';
import { requestAsService, type Bus } from '@rapport/bus';
import type { Relationship, ServiceInput, ServiceRequestName } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import { until } from '../libs/service/test/kit.ts';
import { holdCommits } from './hold-commits.ts';
import {
  backOfficeOf,
  connected,
  databaseOf,
  emit,
  inboxOf,
  next,
  runningStack,
  secret,
  send,
  STACK_TIMEOUT_MS,
} from './kit.ts';

let stack: Stack;
let backOffice: Bus;
const actor = { service: 'crm', onBehalfOf: 'carol' };

beforeAll(async () => {
  stack = await runningStack({
    processes: { gateway: 2, 'messaging-service': 2 },
    env: { CONTACT_POLICY: 'care-team' },
  });
  backOffice = await backOfficeOf(stack);
}, STACK_TIMEOUT_MS);

/** What the back office gets, as data or as the code of the failure. */
async function ask<N extends ServiceRequestName>(name: N, input: ServiceInput<N>): Promise<unknown> {
  const ack = (await requestAsService(backOffice, name, { actor, input })).read();
  return ack.ok ? ack.data : ack.error.code;
}

const link = (clientUserId: string, therapistUserId: string) =>
  ask('relationship.link', { clientUserId, therapistUserId }) as Promise<Relationship>;
const end = (clientUserId: string, therapistUserId: string) =>
  ask('relationship.end', { clientUserId, therapistUserId }) as Promise<Relationship>;

const hello = (recipientId: string) => ({ recipientId, content: secret() });
const REFUSED = { ok: false, error: { code: 'UNAUTHORIZED' } };

describe('without a care relationship', () => {
  test('nobody may write or show that they type, and a user who exists looks like one who does not', async () => {
    const [alice] = await Promise.all([connected(stack, 'w-alice'), connected(stack, 'w-bob')]);
    const [known, unknown] = [
      await emit(alice, 'message:send', hello('w-bob')),
      await emit(alice, 'message:send', hello('nobody')),
    ];
    expect(known).toMatchObject(REFUSED);
    expect(unknown).toEqual(known);
    expect(await emit(alice, 'message:typing', { recipientId: 'w-bob', isTyping: true })).toMatchObject(REFUSED);
    expect(await emit(alice, 'contact:list')).toEqual({ ok: true, data: { contacts: [] } });
    expect((await databaseOf(stack).query("select from conversation where user_a like 'w-%'")).rowCount).toBe(0);
  });
});

describe('a care relationship', () => {
  test('lets the two write to each other from the moment it is acknowledged, and both are told', async () => {
    const [alice, bob] = await Promise.all([connected(stack, 'l-alice'), connected(stack, 'l-bob', { gateway: 1 })]);
    const told = [next(alice, 'contact:changed'), next(bob, 'contact:changed')];
    const relationship = await link('l-alice', 'l-bob');
    expect(relationship).toMatchObject({ clientUserId: 'l-alice', therapistUserId: 'l-bob', linked: true, version: 1 });
    expect((await send(alice, 'l-bob')).seq).toBe(1);
    expect((await send(bob, 'l-alice')).seq).toBe(2);
    expect(await Promise.all(told)).toEqual([
      { userId: 'l-bob', linked: true, version: 1 },
      { userId: 'l-alice', linked: true, version: 1 },
    ]);
    const { since } = relationship;
    expect(await emit(alice, 'contact:list')).toEqual({
      ok: true,
      data: { contacts: [{ userId: 'l-bob', role: 'therapist', since }] },
    });
    expect(await emit(bob, 'contact:list', {})).toEqual({
      ok: true,
      data: { contacts: [{ userId: 'l-alice', role: 'client', since }] },
    });
  });

  test('that ends stops writing and typing at once on connections that are open, also what is shown as being typed', async () => {
    await link('e-alice', 'e-bob');
    const [alice, bob] = await Promise.all([connected(stack, 'e-alice'), connected(stack, 'e-bob', { gateway: 1 })]);
    await send(alice, 'e-bob');
    const typing = next(bob, 'user:typing');
    await emit(alice, 'message:typing', { recipientId: 'e-bob', isTyping: true });
    expect(await typing).toEqual({ userId: 'e-alice', isTyping: true });

    const told = [next(bob, 'user:typing'), next(bob, 'contact:changed')];
    const ended = await end('e-alice', 'e-bob');
    expect(ended).toMatchObject({ linked: false, version: 2 });
    expect(ended.endedAt).toBeDefined();
    expect(await Promise.all(told)).toEqual([
      { userId: 'e-alice', isTyping: false },
      { userId: 'e-alice', linked: false, version: 2 },
    ]);
    for (const [socket, to] of [
      [alice, 'e-bob'],
      [bob, 'e-alice'],
    ] as const) {
      expect(await emit(socket, 'message:send', hello(to))).toMatchObject(REFUSED);
      expect(await emit(socket, 'message:typing', { recipientId: to, isTyping: true })).toMatchObject(REFUSED);
    }
    expect(await emit(bob, 'contact:list')).toEqual({ ok: true, data: { contacts: [] } });

    expect(await link('e-alice', 'e-bob')).toMatchObject({ linked: true, version: 3 });
    expect((await send(bob, 'e-alice')).seq).toBe(2);
  });

  test('that is begun or ended again stays as it is, and nobody is told twice', async () => {
    const bob = await connected(stack, 's-bob');
    const inbox = inboxOf(bob);
    const first = await link('s-alice', 's-bob');
    expect(await link('s-alice', 's-bob')).toEqual(first);
    const ended = await end('s-alice', 's-bob');
    expect(await end('s-alice', 's-bob')).toEqual(ended);
    await link('s-barrier', 's-bob');
    await until(() => inbox.some(([, payload]) => payload['userId'] === 's-barrier'));
    expect(inbox.filter(([event]) => event === 'contact:changed').map(([, payload]) => payload)).toEqual([
      { userId: 's-alice', linked: true, version: 1 },
      { userId: 's-alice', linked: false, version: 2 },
      { userId: 's-barrier', linked: true, version: 1 },
    ]);
  });

  test('is written once however many ask for it at one moment, over two replicas', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => link('r-alice', 'r-bob')));
    expect(new Set(all.map(({ id, version }) => `${id} ${version}`)).size).toBe(1);
    const changes = await databaseOf(stack).query(
      `select version, linked, service, on_behalf_of from care_relationship_change where relationship_id = $1`,
      [all[0]?.id],
    );
    expect(changes.rows).toEqual([{ version: 1, linked: true, service: 'crm', on_behalf_of: 'carol' }]);
  });

  test('that never was cannot be ended', async () => {
    expect(await end('never-alice', 'never-bob')).toBe('NOT_FOUND');
  });

  test('is listed for one user or for all, ended ones too', async () => {
    await link('i-alice', 'i-bob');
    await link('i-carol', 'i-bob');
    await end('i-alice', 'i-bob');
    const { relationships } = (await ask('relationship.list', { userId: 'i-bob' })) as {
      relationships: Relationship[];
    };
    expect(relationships.map(({ clientUserId, linked }) => [clientUserId, linked])).toEqual([
      ['i-alice', false],
      ['i-carol', true],
    ]);
    const all = (await ask('relationship.list', {})) as { relationships: Relationship[] };
    expect(all.relationships.length).toBeGreaterThan(relationships.length);
  });

  test('whose service was killed between commit and publishing is told, and a fact, all the same', async () => {
    const bob = await connected(stack, 'k-bob');
    const told = next(bob, 'contact:changed');
    const commits = await holdCommits(databaseOf(stack), 'care_relationship_change');
    const asked = ask('relationship.link', { clientUserId: 'k-alice', therapistUserId: 'k-bob' }).catch(
      () => undefined,
    );
    await commits.held();
    const replicas = ['messaging-service-1', 'messaging-service-2'].map(name => stack.programs.get(name)!);
    for (const replica of replicas) replica.kill('SIGKILL');
    await until(() => replicas.every(({ pid }) => pid === undefined));
    await commits.release();
    await asked;
    await Promise.all(replicas.map(replica => replica.ready()));
    expect(await told).toEqual({ userId: 'k-alice', linked: true, version: 1 });
  }, 60_000);
});
