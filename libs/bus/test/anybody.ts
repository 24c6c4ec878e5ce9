import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import type { Nats } from '@rapport/local-stack';
import { atEnd, runningNats, temporaryFolder, until } from '../../service/test/kit.ts';

/** A nats-server with one more user, who may publish anything: what no service of today sends yet. */
export async function natsWithAnybody(): Promise<{ nats: Nats; anybody: NatsConnection }> {
  const dir = temporaryFolder();
  const nats = await runningNats({ dir });
  const config = join(dir, 'nats', 'nats-server.conf');
  const text = readFileSync(config, 'utf8');
  writeFileSync(
    config,
    text.replace(/users\s*[:=]?\s*\[/, start => `${start} { user: "anybody", password: "anybody" }`),
  );
  nats.process.kill('SIGHUP');
  let anybody: NatsConnection | undefined;
  await until(async () => {
    anybody = await connect({ servers: nats.server, user: 'anybody', pass: 'anybody' }).catch(() => undefined);
    return anybody !== undefined;
  });
  atEnd(() => anybody?.close());
  return { nats, anybody: anybody! };
}
