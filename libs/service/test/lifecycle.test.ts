import { expect, test } from '@jest/globals';
import { createLifecycle } from '../src/lifecycle.ts';
import { recordedLog } from './kit.ts';

test('what was started last is stopped first, each step after the one before has ended', async () => {
  const { log } = recordedLog();
  const lifecycle = createLifecycle(log);
  const order: string[] = [];
  for (const name of ['operations port', 'NATS connection', 'database', 'answers']) {
    lifecycle.onStop(name, async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    });
  }
  await lifecycle.stop();
  expect(order).toEqual(
    ['answers', 'database', 'NATS connection', 'operations port'].flatMap(name => [`${name} begins`, `${name} ends`]),
  );
});

test('a step that fails is logged and does not keep the others from stopping', async () => {
  const { log, lines } = recordedLog();
  const lifecycle = createLifecycle(log);
  const stopped: string[] = [];
  lifecycle.onStop('first', () => void stopped.push('first'));
  lifecycle.onStop('rejects', () => Promise.reject(new Error('broken pipe')));
  lifecycle.onStop('throws', () => {
    throw new Error('no such file');
  });
  lifecycle.onStop('last', () => void stopped.push('last'));
  await lifecycle.stop();
  expect(stopped).toEqual(['last', 'first']);
  const failures = lines.map(line => JSON.parse(line) as { level: string; step?: string }).filter(isError);
  expect(failures.map(({ step }) => step)).toEqual(['throws', 'rejects']);
});

test('a second stop waits for the first and runs nothing twice', async () => {
  const lifecycle = createLifecycle(recordedLog().log);
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  lifecycle.onStop('slow', () => {
    runs += 1;
    return gate.promise;
  });
  const first = lifecycle.stop();
  const second = lifecycle.stop();
  gate.resolve();
  await Promise.all([first, second]);
  expect(runs).toBe(1);
});

test('loops and waits are told before the first step is stopped', async () => {
  const lifecycle = createLifecycle(recordedLog().log);
  let toldBefore: boolean | undefined;
  lifecycle.onStop('loop', () => {
    toldBefore = lifecycle.stopping.aborted;
  });
  expect(lifecycle.stopping.aborted).toBe(false);
  await lifecycle.stop();
  expect(toldBefore).toBe(true);
});

const isError = ({ level }: { level: string }): boolean => level === 'error';
