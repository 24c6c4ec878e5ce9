import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderServerConfig } from '@rapport/bus';
import { BUS_USERS, type BusUser } from '@rapport/contracts';
import { runCommand } from './command.ts';

// Prints the nats-server config: one user per process with the rights that follow from the contracts.
await runCommand('nats-config', 'nats-config', async config => {
  const files = readdirSync(config.NATS_PASSWORDS_DIR);
  const passwords = Object.fromEntries(
    BUS_USERS.filter(user => files.includes(user)).map((user: BusUser) => [
      user,
      readFileSync(join(config.NATS_PASSWORDS_DIR, user), 'utf8').trim(),
    ]),
  );
  process.stdout.write(renderServerConfig({ host: '0.0.0.0', port: 4222, storeDir: '/data/jetstream', passwords }));
});
