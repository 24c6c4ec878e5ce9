import { expect, test } from '@jest/globals';
import { configRows, type ConfigRow } from '@rapport/contracts';
import { envExampleText } from './env-example.ts';

const lines = envExampleText().split('\n');

test.each(Object.entries<ConfigRow>(configRows))('%s stands there with its sentence and its default', (name, row) => {
  const line = row.default === undefined ? `${name}=` : `# ${name}=${row.default}`;

  expect(lines).toContain(line);
  expect(lines[lines.indexOf(line) - 1]).toContain(row.summary);
});

test('a secret has no value', () => {
  const secrets = Object.entries<ConfigRow>(configRows).filter(([, row]) => row.secret);

  expect(secrets).not.toEqual([]);
  for (const [name] of secrets) expect(lines).toContain(`${name}=`);
});
