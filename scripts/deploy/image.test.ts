import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readDockerfile } from './dockerfile.ts';
import { strangers } from './image-content.ts';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'rapport-test-'));
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

describe('a Dockerfile', () => {
  test('is read as the steps it does', () => {
    const text =
      'FROM node:24-slim\nWORKDIR /app\nCOPY a b c/\nRUN npm ci \\\n  --omit=dev\nUSER node\nCMD ["node", "a.ts"]\n';

    expect(readDockerfile(text)).toMatchObject({
      from: 'node:24-slim',
      workdir: '/app',
      steps: [
        { kind: 'copy', sources: ['a', 'b'], target: 'c/' },
        { kind: 'run', command: expect.stringMatching(/^npm ci +--omit=dev$/) },
      ],
      user: 'node',
      command: ['node', 'a.ts'],
      healthcheck: undefined,
    });
  });

  test.each([
    ['ADD a b', 'ADD is not an instruction'],
    ['COPY --chown=node a b', 'COPY with flags'],
    ['COPY a* b/', 'COPY with flags or wildcards'],
    ['FROM other', 'one stage'],
  ])('that says %s cannot be followed', (line, mistake) => {
    expect(() => readDockerfile(`FROM node\n${line}\n`)).toThrow(mistake);
  });
});

test('an image holds its workspace and what that uses, and no test, other service or development dependency', () => {
  const write = (file: string, text = '') => {
    mkdirSync(dirname(join(scratch, 'image', file)), { recursive: true });
    writeFileSync(join(scratch, 'image', file), text);
  };
  write(
    'package-lock.json',
    '{"packages":{"":{},"node_modules/jest":{"dev":true},"node_modules/ws":{},"node_modules/no":{"dev":true}}}',
  );
  write('gateway/package.json', '{"dependencies":{"@rapport/bus":"0.1.0","ws":"1"}}');
  write('libs/bus/package.json', '{"dependencies":{"@rapport/contracts":"0.1.0"}}');
  for (const file of [
    'gateway/src/main.ts',
    'libs/bus/src/a.ts',
    'libs/contracts/src/a.ts',
    'node_modules/ws/a.test.ts',
  ]) {
    write(file);
  }
  expect(strangers(join(scratch, 'image'), 'gateway')).toEqual([]);

  for (const file of ['libs/service/src/a.ts', 'gateway/src/a.test.ts', 'node_modules/jest/a.js', '.env']) write(file);
  expect(strangers(join(scratch, 'image'), 'gateway').toSorted()).toEqual([
    '.env is of no workspace that gateway uses',
    'gateway/src/a.test.ts is a test',
    'libs/service/src/a.ts is of no workspace that gateway uses',
    'node_modules/jest is a development dependency',
  ]);
});
