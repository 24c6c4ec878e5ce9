import { randomBytes } from 'node:crypto';
import type { Nats } from '@rapport/local-stack';
import { runChild, type Child } from './child.ts';

const random32 = (): string => randomBytes(32).toString('base64');

/** What a messaging service on this machine reads. */
export function serviceEnvironment(nats: Nats, databaseUrl: string): Record<string, string> {
  return {
    NATS_URL: nats.server,
    NATS_USER: 'messaging-service',
    NATS_PASSWORD: nats.passwords['messaging-service'],
    DATABASE_URL: databaseUrl,
    CONTENT_KEYS: `test:${random32()}`,
    BODY_HASH_KEY: random32(),
    CONTACT_POLICY: 'open',
    OPS_HOST: '127.0.0.1',
    OPS_PORT: '0',
    LOG_LEVEL: 'debug',
  };
}

/** A real messaging service that is ready, on a database of its own. Resolves with the URL of its operations port. */
export async function runningService(environment: Record<string, string>): Promise<{ child: Child; url: string }> {
  await expectToEndWell(runChild('messaging-service/src/migrate.ts', environment));
  const child = runChild('messaging-service/src/main.ts', environment);
  const { opsPort } = await child.logged('ready');
  return { child, url: `http://127.0.0.1:${String(opsPort)}` };
}

export async function expectToEndWell(child: Child): Promise<void> {
  const code = await child.ended;
  if (code !== 0) throw new Error([`it ended with ${code}`, ...child.lines, ...child.errors].join('\n'));
}
