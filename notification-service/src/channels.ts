import type { Config } from '@rapport/contracts';
import { ConfigError } from '@rapport/service/config';
import type { Seal } from '@rapport/service/seal';
import type { Logger } from 'pino';
import type { AwayChannel } from './delivery.ts';
import { createOutsideAgent } from './outside-addresses.ts';
import { createMailing, SMTP_CONNECTIONS } from './send-email.ts';
import { createSendPush, type VapidKeys } from './send-push.ts';
import type { Send } from './sending.ts';
import { createUnsubscribeUrl } from './unsubscribe.ts';

/** A channel that is on. */
export interface OpenChannel {
  readonly send: Send;
  /** How many deliveries go over it at once. */
  readonly atOnce: number;
  close(): void;
}

const PUSHES_AT_ONCE = 20;

type ChannelConfig = Config<'notification-service'>;

/**
 * The channels that are configured; one that is not is off, and says so.
 * @throws ConfigError when one is configured in part
 */
export function openChannels(config: ChannelConfig, seal: Seal, log: Logger): Map<AwayChannel, OpenChannel> {
  const channels = new Map<AwayChannel, OpenChannel>();
  const [push, email] = [openPush(config), openEmail(config, seal)];
  if (push) channels.set('webPush', push);
  else log.info({ channel: 'webPush' }, 'VAPID_PUBLIC_KEY is not set: nothing is pushed');
  if (email) channels.set('email', email);
  else log.info({ channel: 'email' }, 'SMTP_URL is not set: no e-mails are sent');
  return channels;
}

function openPush(config: ChannelConfig): OpenChannel | undefined {
  const { VAPID_PUBLIC_KEY: publicKey, VAPID_PRIVATE_KEY: privateKey, VAPID_SUBJECT: subject } = config;
  if (!publicKey && !privateKey) return undefined;
  if (!publicKey || !privateKey || !subject) {
    throw new ConfigError([
      'VAPID_PUBLIC_KEY, VAPID_PRIVATE_KEY and VAPID_SUBJECT must be set together: web push needs all of them.',
    ]);
  }
  const vapid: VapidKeys = { publicKey, privateKey, subject };
  const agent = createOutsideAgent(config.PUSH_TO_LOOPBACK, { maxSockets: PUSHES_AT_ONCE });
  return {
    send: createSendPush({ vapid, agent, now: () => new Date() }),
    atOnce: PUSHES_AT_ONCE,
    close: () => agent.destroy(),
  };
}

function openEmail(config: ChannelConfig, seal: Seal): OpenChannel | undefined {
  const { SMTP_URL: url, MAIL_FROM: from, PUBLIC_URL: publicUrl } = config;
  if (!url) return undefined;
  if (!from || !publicUrl) {
    throw new ConfigError([
      'MAIL_FROM and PUBLIC_URL must be set when SMTP_URL is: an e-mail needs a sender and a link to unsubscribe.',
    ]);
  }
  const mailing = createMailing({ url, from, unsubscribeUrl: createUnsubscribeUrl(seal, publicUrl) });
  return { ...mailing, atOnce: SMTP_CONNECTIONS };
}
