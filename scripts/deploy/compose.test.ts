import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { environmentMistakes } from './compose-environment.ts';
import { danglingNames, readComposeFile } from './compose-file.ts';

const root = join(import.meta.dirname, '../..');
const composeText = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'rapport-test-'));
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

describe('the compose file', () => {
  const after = (from: string, to: string) => {
    expect(composeText).toContain(from);
    return readComposeFile(composeText.replace(from, to));
  };

  test('names nothing that is not there, and tells every process what it must know', () => {
    const compose = readComposeFile(composeText);

    expect(danglingNames(compose, root)).toEqual([]);
    expect(environmentMistakes(compose, root, join(scratch, 'secrets'))).toEqual([]);
  });

  test('cannot leave the specification', () => {
    expect(() => after('read_only: true', 'readonly: true')).toThrow('must NOT have additional properties');
    expect(() => after('stop_grace_period: 15s', 'stop_grace_period: 15')).toThrow(
      '/services/gateway/stop_grace_period',
    );
  });

  test.each([
    ['dockerfile: gateway/Dockerfile', 'dockerfile: gateway/None', 'gateway: there is no gateway/None'],
    ['networks: [edge, nats]', 'networks: [edge, none]', 'gateway: there is no network none'],
    ['"nats-data:/data"', '"none:/data"', 'nats: there is no volume none'],
    ['provision: {', 'none: {', 'gateway: there is no service none'],
    ['secrets: [nats-gateway, jwt-secret]', 'secrets: [nats-gateway]', 'nothing uses the secret jwt-secret'],
    ['shm_size: 256mb', 'ports: ["5432:5432"]', 'postgres publishes a port; only the gateway may'],
    [
      'provision: { condition: service_completed_successfully }',
      'provision: { condition: service_healthy }',
      'gateway waits until provision is healthy, and provision has no health check',
    ],
  ])('is refused with %s changed to %s', (from, to, mistake) => {
    expect(danglingNames(after(from, to), root)).toContain(mistake);
  });

  test.each([
    [
      'CONTACT_POLICY: $',
      'CONTACT_RULE: $',
      'messaging-service: CONTACT_RULE is not a variable that messaging-service',
    ],
    [
      'JWT_SECRET_FILE: /run/secrets/jwt-secret',
      'PORT: "5000"',
      'gateway: JWT_SECRET, JWT_PUBLIC_KEY, JWKS_URI: none of them is set',
    ],
    ['JWT_SECRET_FILE: /run/secrets/jwt-secret', 'JWT_SECRET: here', 'gateway: JWT_SECRET is a secret'],
    ['/run/secrets/jwt-secret', '/run/secrets/other', 'gateway: JWT_SECRET_FILE names /run/secrets/other, where no'],
    ['x-config-reader: gateway', 'x-config-reader: none', 'there is no service gateway with x-config-reader: gateway'],
  ])('tells a process something wrong with %s changed to %s', (from, to, mistake) => {
    const mistakes = environmentMistakes(after(from, to), root, join(scratch, 'secrets'));

    expect(mistakes).toContainEqual(expect.stringContaining(mistake));
  });
});
