import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import { until } from '../libs/service/test/kit.ts';
import { developerOf, STACK_TIMEOUT_MS } from './kit.ts';
import { news, presencesOf, presenceStack, show, statusesOf, storyOf, watcher } from './presence-kit.ts';

let stack: Stack;

beforeAll(async () => {
  ({ stack } = await presenceStack({ CONTACT_POLICY: 'open' }));
}, STACK_TIMEOUT_MS);

test('under the policy open one broadcast tells everybody, and nobody of themselves', async () => {
  const deliveries: string[] = [];
  const developer = await developerOf(stack);
  developer.connection.subscribe('deliver.v1.>', { callback: (_, { subject }) => void deliveries.push(subject) });
  await developer.connection.flush();
  const [ann, again] = [await watcher(stack, 'ann'), await watcher(stack, 'ann', { gateway: 1 })];
  const online = [ann, again].map(({ socket }) => news(socket, 'user:online', 'ben'));
  const ben = await watcher(stack, 'ben', { gateway: 1 });
  await Promise.all(online);
  expect(ben.told).toEqual([
    ['presence:state', { presences: [{ userId: 'ann', status: 'online', lastSeenAt: null }] }],
  ]);

  const changed = [ann, again].map(({ socket }) => news(socket, 'user:presence', 'ben'));
  await show(ben.socket, 'dnd');
  await Promise.all(changed);
  const gone = [ann, again].map(({ socket }) => news(socket, 'user:offline', 'ben'));
  ben.socket.disconnect();
  await Promise.all(gone);

  for (const { told } of [ann, again]) {
    expect(storyOf(told, 'ben')).toEqual(['online', 'dnd', 'offline']);
    expect(storyOf(told, 'ann')).toEqual([]);
  }
  await until(() => deliveries.length === 4);
  expect(deliveries).toEqual([
    'deliver.v1.all.user.online',
    'deliver.v1.all.user.online',
    'deliver.v1.all.user.presence',
    'deliver.v1.all.user.offline',
  ]);
  expect(await statusesOf(ann.socket, ['ben', 'ann', 'nobody'])).toEqual(['offline', 'online', 'offline']);
  expect(await presencesOf(ann.socket, ['nobody'])).toEqual([
    { userId: 'nobody', status: 'offline', lastSeenAt: null },
  ]);
});
