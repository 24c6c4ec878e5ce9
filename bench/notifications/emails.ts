import { setTimeout as sleep } from 'node:timers/promises';
import { requestAsService } from '@rapport/bus';
import { Pool } from 'pg';
import { mailServer, type Judge } from '../../notification-service/test/mail-server.ts';
import type { Findings } from '../measure/comparison.ts';
import { backOfficeOf, createUntilAnswered } from './back-office.ts';
import type { Ground } from './ground.ts';
import type { Options } from './options.ts';

// E-mails through a real mail server on this machine that fails a fifth of them at random, half of those by breaking
// the connection, and is cut off for a while in the middle. Each must arrive, and none a second time.

const AT_ONCE = 50;
const TIMEOUT_MS = 10 * 60_000;

export async function measureEmails(ground: Ground, options: Options): Promise<Findings> {
  const { emails, cutSeconds } = options;
  let failed = 0;
  const judge: Judge = () => {
    const chance = Math.random();
    if (chance < 0.2) failed += 1;
    if (chance < 0.1) return 'drop';
    return chance < 0.2 ? { responseCode: 451 } : undefined;
  };
  const mail = await mailServer(judge);
  ground.atEnd(() => mail.stop());
  const stack = await ground.start('emails', {
    SMTP_URL: mail.url,
    MAIL_FROM: 'no-reply@example.org',
    PUBLIC_URL: 'https://app.example.org',
    ESCALATE_AFTER_SECONDS: '0',
    DELIVERY_RETRY_FIRST_MS: '200',
  });
  const bus = await backOfficeOf(stack);
  ground.atEnd(() => bus.connection.close());
  const pool = new Pool({ connectionString: stack.databases['notification-service'], max: 2 });
  ground.atEnd(() => pool.end());

  const start = performance.now();
  await inTurns(emails, async index => {
    const input = { userId: `user-${index}`, email: `user-${index}@example.org` };
    await requestAsService(bus, 'profile.set', { actor: { service: 'bench' }, input });
  });
  const profiles = performance.now();
  const creating = inTurns(
    emails,
    async index => void (await createUntilAnswered(bus, `user-${index}`, `key-${index}`)),
  );
  while (mail.mails.length < emails * 0.4) await sleep(50);
  const beforeCut = mail.mails.length;
  await mail.cutOff();
  await sleep(cutSeconds * 1_000);
  await mail.comeBack();
  await creating;
  const pending = async (): Promise<number> => {
    const { rows } = await pool.query<{ count: number }>(
      `select count(*)::int as count from delivery where state = 'pending'`,
    );
    return rows[0]?.count ?? 0;
  };
  const deadline = performance.now() + TIMEOUT_MS;
  while ((await pending()) > 0 && performance.now() < deadline) await sleep(100);
  const seconds = (performance.now() - profiles) / 1_000;

  const arrived = new Map<string, number>();
  for (const { to } of mail.mails) arrived.set(to, (arrived.get(to) ?? 0) + 1);
  const twice = [...arrived.values()].filter(count => count > 1).length;
  const { rows } = await pool.query<{ state: string; count: number }>(
    'select state, count(*)::int as count from delivery group by state',
  );
  return {
    comparisons: [],
    observations: [
      { what: 'e-mails that arrived', seen: `${arrived.size} of ${emails}`, holds: arrived.size === emails },
      // One whose 250 was on its way when the server was cut off may come again: nobody can know.
      { what: 'arrived twice', seen: `${twice}`, holds: twice <= 10 },
      { what: 'attempts that the server failed', seen: `${failed} of ${mail.tried}`, holds: failed > 0 },
      { what: 'arrived before the server was cut off', seen: `${beforeCut}`, holds: beforeCut < emails },
      {
        what: `seconds, ${cutSeconds} of them without a server`,
        seen: `${seconds.toFixed(0)} (profiles before: ${((profiles - start) / 1_000).toFixed(0)})`,
        holds: true,
      },
      { what: 'states at the end', seen: JSON.stringify(rows), holds: rows.length === 1 && rows[0]?.state === 'sent' },
    ],
  };
}

async function inTurns(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let index = 0;
  const worker = async (): Promise<void> => {
    for (let mine = index++; mine < count; mine = index++) await work(mine);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
