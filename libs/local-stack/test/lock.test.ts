import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { lockFolder } from '../src/lock.ts';
import { temporaryFolder } from './kit.ts';

test('a second stack on a folder is refused with a line that says what to do', () => {
  const dir = temporaryFolder();
  lockFolder(dir);

  expect(() => lockFolder(dir)).toThrow(
    `A stack is already running on ${dir} (process ${process.pid}): stop it, or set DATA_DIR to another folder.`,
  );
});

test('the folder is free again once it was given back', () => {
  const dir = temporaryFolder();
  const unlock = lockFolder(dir);

  unlock();

  expect(existsSync(join(dir, 'lock'))).toBe(false);
  expect(() => lockFolder(dir)).not.toThrow();
});

test.each([
  ['of a process that is gone', '2147483646 a-boot 1'],
  ['of an earlier process with the number of a living one', `${process.pid} an-earlier-boot 1`],
  ['that is empty', ''],
])('a lock %s holds nobody up', (_what, content) => {
  const dir = temporaryFolder();
  writeFileSync(join(dir, 'lock'), content);

  lockFolder(dir);

  expect(readFileSync(join(dir, 'lock'), 'utf8')).not.toBe(content);
  expect(() => lockFolder(dir)).toThrow('already running');
});
