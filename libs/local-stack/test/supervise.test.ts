import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Program } from '../src/run-program.ts';
import { readyOrStopped, supervise } from '../src/supervise.ts';
import { afterwards, isRunning, recordedOutput, temporaryFolder } from './kit.ts';

/** A program that runs a piece of JavaScript, and is ready once it has written its file. */
function program(dir: string, code: string): Program {
  const file = join(dir, 'ready');
  return {
    name: 'sample',
    command: process.execPath,
    args: [
      '-e',
      `const ready = () => require('node:fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); ${code}`,
    ],
    env: {},
    prepare: () => writeFileSync(file, ''),
    isReady: () => Promise.resolve(readFileSync(file, 'utf8') !== ''),
    stopSignals: [['SIGTERM', 200]],
  };
}

const FOR_EVER = 'setInterval(() => {}, 1000);';

test('a program that ends is started again, each time after a longer wait', async () => {
  const output = recordedOutput();
  const sample = supervise(program(temporaryFolder(), `ready(); ${FOR_EVER}`), output);
  afterwards(() => sample.stop());

  for (let round = 0; round < 3; round += 1) {
    await sample.ready();
    sample.kill('SIGKILL');
  }
  await sample.ready();

  const waits = output.lines.map(line =>
    Number(/^sample ended \(signal SIGKILL\), starting again in (.*) s$/.exec(line)?.[1]),
  );
  expect(waits[0]).toBeLessThanOrEqual(0.5);
  expect(waits[1]).toBeGreaterThan(waits[0]!);
  expect(waits[2]).toBeGreaterThan(waits[1]!);
});

test('a configuration that is wrong is not tried again, and its lines are told', async () => {
  const output = recordedOutput();
  const sample = supervise(program(temporaryFolder(), `console.error('PORT is "x"'); process.exitCode = 78;`), output);

  await expect(sample.ready()).rejects.toThrow('sample ended, its configuration is wrong:\nPORT is "x"');

  await expect(sample.ready()).rejects.toThrow('its configuration is wrong');
  expect(output.lines).toEqual(['sample: PORT is "x"']);
});

test('a configuration that became wrong later is told as well', async () => {
  const { promise: reason, resolve } = Promise.withResolvers<Error>();
  const code = `ready(); process.once('SIGUSR2', () => process.exit(78)); ${FOR_EVER}`;
  const sample = supervise(program(temporaryFolder(), code), recordedOutput(), resolve);
  await sample.ready();

  sample.kill('SIGUSR2');

  expect((await reason).message).toContain('its configuration is wrong');
});

test('a program that never came up is given up, with its last lines', async () => {
  const output = recordedOutput();
  const sample = supervise(program(temporaryFolder(), `console.error('no such thing'); process.exitCode = 1;`), output);

  await expect(sample.ready()).rejects.toThrow('sample does not start, it ended (exit code 1):\nno such thing');
});

test('a program that does not exist is given up', async () => {
  const sample = supervise({ ...program(temporaryFolder(), ''), command: '/no/such/program' }, recordedOutput());

  await expect(sample.ready()).rejects.toThrow('ENOENT');
});

test('a stop ends also what ignores the request', async () => {
  const code = `process.on('SIGTERM', () => {}); ready(); ${FOR_EVER}`;
  const sample = supervise(program(temporaryFolder(), code), recordedOutput());
  await sample.ready();
  const { pid } = sample;

  await sample.stop();

  expect(isRunning(pid)).toBe(false);
  await expect(sample.ready()).rejects.toThrow('sample was stopped.');
});

test('a stop during the wait before the next start leaves nothing to be started', async () => {
  const output = recordedOutput();
  const sample = supervise(program(temporaryFolder(), `ready(); ${FOR_EVER}`), output);
  await sample.ready();
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  output.note = () => resolve();
  sample.kill('SIGKILL');
  await ended;

  await sample.stop();

  expect(sample.pid).toBeUndefined();
});

test('an abort ends a start that is under way', async () => {
  const abort = new AbortController();
  const sample = supervise(program(temporaryFolder(), FOR_EVER), recordedOutput());
  const waiting = readyOrStopped(sample, abort.signal);

  abort.abort();

  await expect(waiting).rejects.toThrow('sample was stopped.');
  expect(sample.pid).toBeUndefined();
});
