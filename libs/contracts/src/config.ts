import { z } from 'zod';
import { MAX_REMINDER_OFFSET_MINUTES } from './appointments.ts';
import { PROCESSES, SERVICES, type ProcessName } from './processes.ts';

/** Where a variable is read: a process, a deployment step, or the local stack of `npm start` and the tests. */
export type ConfigReader = ProcessName | 'provisioner' | 'nats-config' | 'local-stack';

export interface ConfigRow {
  /** Checks and converts the text of the variable; its message says what would be right. */
  readonly schema: z.ZodType;
  /** The text used when the variable is not set; without one the variable is required, unless it is optional. */
  readonly default?: string;
  /** Need not be set, and is undefined then. */
  readonly optional?: true;
  /** Never shown, and without a default. */
  readonly secret?: true;
  /** `<NAME>_FILE` may name a file that holds the value instead; so for every secret. */
  readonly file?: true;
  readonly readBy: readonly ConfigReader[];
  readonly summary: string;
}

const whole = (min: number, max: number, unit: string) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number of ${unit} from ${min} to ${max}`)
    .transform(Number)
    .refine(value => value >= min && value <= max, `must be a whole number of ${unit} from ${min} to ${max}`);

const port = whole(0, 65_535, 'a port (0: any free one)').meta({ description: 'port' });

const bytes32 = z
  .string()
  .refine(
    text => isBase64Of32Bytes(text),
    'must be 32 random bytes in base64, such as `openssl rand -base64 32` prints',
  );

function isBase64Of32Bytes(text: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(text);
}

const url = (protocols: string, example: string) =>
  z.string().refine(text => {
    const parsed = URL.parse(text);
    return parsed !== null && new RegExp(`^(${protocols}):$`).test(parsed.protocol) && parsed.hostname !== '';
  }, `must be a URL such as ${example}`);

/** `files.example.org,*.cdn.example.org`, in lower case, as a URL parser gives them back. */
const hosts = z
  .string()
  .transform(text => text.split(',').map(host => host.trim().toLowerCase()))
  .refine(
    list => list.every(host => host === '*' || /^([*][.])?([a-z0-9-]+[.])*[a-z0-9-]+$/.test(host)),
    'must be * or a list of hosts such as files.example.org,*.cdn.example.org',
  );

/** `id:base64,id:base64`: the first key encrypts, all of them decrypt. */
const contentKeys = z
  .string()
  .transform(text =>
    text.split(',').map(entry => {
      const [id = '', ...rest] = entry.split(':');
      return { id, key: rest.join(':') };
    }),
  )
  .refine(
    keys =>
      keys.every(({ id, key }) => /^[A-Za-z0-9_-]{1,32}$/.test(id) && isBase64Of32Bytes(key)) &&
      new Set(keys.map(({ id }) => id)).size === keys.length,
    'must be a list such as 2026-11:<32 bytes in base64>,2026-05:<…>, each with an id of its own, the current key first',
  );

/** `1440,60,15` */
const reminderOffsets = z
  .string()
  .transform(text => text.split(',').map(part => (/^\s*\d+\s*$/.test(part) ? Number(part) : 0)))
  .refine(
    offsets =>
      offsets.length <= 10 &&
      new Set(offsets).size === offsets.length &&
      offsets.every(offset => offset >= 1 && offset <= MAX_REMINDER_OFFSET_MINUTES),
    `must be a list of at most 10 different minutes from 1 to ${MAX_REMINDER_OFFSET_MINUTES}, such as 1440,60,15`,
  );

const EVERY_PROCESS = PROCESSES;
const EVERY_SERVICE = SERVICES;

/** Every environment variable there is. Read in one place, `loadConfig` of libs/service. */
export const configRows = {
  LOG_LEVEL: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    default: 'info',
    readBy: [...EVERY_PROCESS, 'local-stack'],
    summary: 'The least severe level that is logged.',
  },
  NATS_URL: {
    schema: url('nats|tls', 'nats://127.0.0.1:4222'),
    default: 'nats://127.0.0.1:4222',
    readBy: [...EVERY_PROCESS, 'provisioner'],
    summary: 'The NATS server. When it is set, `npm start` starts none of its own.',
  },
  NATS_USER: {
    schema: z.string().min(1, 'must be the name of a NATS user'),
    readBy: [...EVERY_PROCESS, 'provisioner'],
    summary: 'The NATS user of this process; its rights follow from the contracts.',
  },
  NATS_PASSWORD: {
    schema: z.string().min(1, 'must be the password of NATS_USER'),
    secret: true,
    readBy: [...EVERY_PROCESS, 'provisioner'],
    summary: 'The password of that user.',
  },
  NATS_REPLICAS: {
    schema: whole(1, 5, 'servers'),
    default: '1',
    readBy: ['provisioner'],
    summary: 'How many NATS servers of a cluster keep the stream of facts.',
  },
  NATS_PASSWORDS_DIR: {
    schema: z.string().min(1, 'must be a folder with one file per NATS user, named as the user, holding its password'),
    readBy: ['nats-config'],
    summary: 'Where the rendered NATS server config finds the passwords.',
  },
  REQUEST_TIMEOUT_MS: {
    schema: whole(1, 60_000, 'milliseconds'),
    default: '5000',
    readBy: EVERY_PROCESS,
    summary: 'How long a request waits for its reply before the caller gets UNAVAILABLE.',
  },
  OPS_HOST: {
    schema: z.string().min(1, 'must be an address to listen on'),
    default: '0.0.0.0',
    readBy: EVERY_PROCESS,
    summary: 'The address of the operations port.',
  },
  OPS_PORT: {
    schema: port,
    default: '9464',
    readBy: EVERY_PROCESS,
    summary: 'The operations port: /healthz, /readyz and /metrics.',
  },
  SHUTDOWN_TIMEOUT_MS: {
    schema: whole(100, 60_000, 'milliseconds'),
    default: '8000',
    readBy: EVERY_PROCESS,
    summary: 'The deadline of an orderly stop; what is not done by then is cut off.',
  },
  HOST: {
    schema: z.string().min(1, 'must be an address to listen on'),
    default: '0.0.0.0',
    readBy: ['gateway'],
    summary: 'The address that clients connect to.',
  },
  PORT: {
    schema: port,
    default: '5000',
    readBy: ['gateway', 'local-stack'],
    summary: 'The port that clients connect to; also serves /healthz and /readyz.',
  },
  JWT_SECRET: {
    schema: z.string().refine(text => Buffer.byteLength(text) >= 32, 'must be at least 32 bytes'),
    secret: true,
    optional: true,
    readBy: ['gateway', 'local-stack'],
    summary: 'The HS256 key of access tokens. `npm start` makes one of its own when it is not set.',
  },
  JWT_PUBLIC_KEY: {
    schema: z
      .string()
      .transform(text => text.replaceAll('\\n', '\n'))
      .refine(text => text.startsWith('-----BEGIN PUBLIC KEY-----\n'), 'must be a public key in PEM: RSA or EC P-256'),
    file: true,
    optional: true,
    readBy: ['gateway'],
    summary: 'The key of access tokens signed with RS256, PS256 (an RSA key) or ES256 (an EC key).',
  },
  JWKS_URI: {
    schema: url('https?', 'https://id.example.org/.well-known/jwks.json'),
    optional: true,
    readBy: ['gateway'],
    summary: 'Where the public keys of access tokens are published; they may rotate.',
  },
  JWT_ISSUER: {
    schema: z.string().min(1, 'must be the iss of access tokens'),
    optional: true,
    readBy: ['gateway'],
    summary: 'The only iss that is accepted; not checked when it is not set.',
  },
  JWT_AUDIENCE: {
    schema: z.string().min(1, 'must be the aud of access tokens'),
    optional: true,
    readBy: ['gateway'],
    summary: 'The aud that a token must have; not checked when it is not set.',
  },
  ALLOWED_ORIGINS: {
    schema: z
      .string()
      .transform(text => text.split(',').map(origin => origin.trim()))
      .refine(
        origins => origins.every(origin => origin === '*' || URL.parse(origin)?.origin === origin),
        'must be * or a list of origins such as https://app.example.org,https://www.example.org',
      ),
    default: '*',
    readBy: ['gateway'],
    summary: 'The origins whose pages may connect. Programs that send no Origin are not concerned.',
  },
  RATE_LIMIT_BURST: {
    schema: whole(0, 1_000_000, 'events'),
    default: '300',
    readBy: ['gateway'],
    summary: 'Events that a user may send at once. 0 turns the limit off.',
  },
  RATE_LIMIT_PER_SECOND: {
    schema: whole(0, 1_000_000, 'events'),
    default: '50',
    readBy: ['gateway'],
    summary: 'Events a second that a user may send in the long run. 0 turns the limit off.',
  },
  MAX_HANDSHAKES_PER_SECOND: {
    schema: whole(0, 1_000_000, 'handshakes'),
    default: '500',
    readBy: ['gateway'],
    summary: 'Handshakes a second that a gateway takes on. 0 turns the limit off.',
  },
  MAX_SOCKETS_PER_USER: {
    schema: whole(0, 1_000_000, 'sockets'),
    default: '50',
    readBy: ['gateway'],
    summary: 'Sockets of one user on a gateway. 0 turns the limit off.',
  },
  MAX_SOCKETS_PER_ADDRESS: {
    schema: whole(0, 1_000_000, 'sockets'),
    default: '0',
    readBy: ['gateway'],
    summary: 'Sockets from one address on a gateway. 0, off, is right behind a proxy, where all look alike.',
  },
  HANDSHAKE_TIMEOUT_MS: {
    schema: whole(100, 60_000, 'milliseconds'),
    default: '10000',
    readBy: ['gateway'],
    summary: 'How long a connection may take to authenticate.',
  },
  MAX_QUEUED_BYTES: {
    schema: whole(65_536, 67_108_864, 'bytes'),
    default: '1048576',
    readBy: ['gateway'],
    summary: 'What may wait for a client that does not read; from half of it on typing is left out.',
  },
  DRAIN_MS: {
    schema: whole(0, 60_000, 'milliseconds'),
    default: '4000',
    readBy: ['gateway'],
    summary: 'Over how long a gateway that stops sends its clients away. Less than SHUTDOWN_TIMEOUT_MS.',
  },
  MAX_MESSAGE_BYTES: {
    // At most what still fits into a NATS message of 1 MB, with the actor and the headers around it.
    schema: whole(1_024, 900_000, 'bytes'),
    default: '65536',
    readBy: ['gateway'],
    summary: 'The largest packet of a client; a larger one closes the socket.',
  },
  DATABASE_URL: {
    schema: url('postgres|postgresql', 'postgresql://user:password@127.0.0.1:5432/messaging'),
    secret: true,
    readBy: EVERY_SERVICE,
    summary: "The service's own database. When it is set, `npm start` starts no PostgreSQL of its own.",
  },
  DATABASE_POOL_SIZE: {
    schema: whole(3, 200, 'connections'),
    default: '10',
    readBy: EVERY_SERVICE,
    summary: 'The most database connections of one process, beside one for its readiness check.',
  },
  OUTBOX_RETENTION_HOURS: {
    schema: whole(24, 8_760, 'hours'),
    default: '72',
    readBy: EVERY_SERVICE,
    summary: 'How long published outbox rows stay, so that the stream of facts can be replayed.',
  },
  CONTACT_POLICY: {
    schema: z.enum(['care-team', 'open']),
    default: 'care-team',
    readBy: ['messaging-service', 'presence-service', 'appointment-service', 'local-stack'],
    summary:
      'Who may talk to whom, and see whether they are there: a client and a therapist with a live care relationship, or anybody.',
  },
  PRESENCE_GRACE_MS: {
    schema: whole(0, 60_000, 'milliseconds'),
    default: '5000',
    readBy: ['presence-service'],
    summary: 'How long somebody whose last session has ended is still shown, so that coming back makes no blink.',
  },
  PRESENCE_LEASE_MS: {
    schema: whole(1_000, 60_000, 'milliseconds'),
    default: '15000',
    readBy: ['presence-service'],
    summary: 'How long the sessions of a gateway that was lost are still shown; gateways report five times as often.',
  },
  REVOCATIONS_PATH: {
    schema: z.string().min(1, 'must be a path that the gateway can write to'),
    optional: true,
    readBy: ['gateway'],
    summary: 'Where the gateway keeps the revocations it knows, for a start while the presence service is down.',
  },
  CONTENT_KEYS: {
    schema: contentKeys,
    secret: true,
    readBy: ['messaging-service', 'notification-service'],
    summary: 'The keys that encrypt at rest what people write and who they are: `id:base64,…`, the current one first.',
  },
  BODY_HASH_KEY: {
    schema: bytes32,
    secret: true,
    readBy: ['messaging-service', 'notification-service'],
    summary: 'The key of the hashes by which a repeat is told from something else. Never change it.',
  },
  SMTP_URL: {
    schema: url('smtps?', 'smtps://user:password@mail.example.org'),
    secret: true,
    optional: true,
    readBy: ['notification-service'],
    summary: 'The mail server that notifications go out over. Without it there are no e-mails.',
  },
  MAIL_FROM: {
    schema: z
      .string()
      .refine(
        text => /^([^<>@"\r\n]+ <[^<>\s@]+@[^<>\s@]+>|[^<>\s@]+@[^<>\s@]+)$/.test(text),
        'must be a sender such as Notifications <no-reply@example.org>',
      ),
    optional: true,
    readBy: ['notification-service'],
    summary: 'The sender of e-mails; needed with SMTP_URL. Everybody who sees a mailbox sees it: nothing of therapy.',
  },
  PUBLIC_URL: {
    schema: url('https?', 'https://app.example.org'),
    optional: true,
    readBy: ['notification-service', 'appointment-service'],
    summary:
      'Where the gateways can be reached from outside, for the addresses of calendars and links in e-mails; needed with SMTP_URL.',
  },
  VAPID_PUBLIC_KEY: {
    schema: z.string().regex(/^[A-Za-z0-9_-]{87}$/, 'must be a VAPID public key: 65 bytes in base64url'),
    optional: true,
    readBy: ['notification-service'],
    summary: 'The key by which push services know this sender. Without it there is no web push.',
  },
  VAPID_PRIVATE_KEY: {
    schema: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be a VAPID private key: 32 bytes in base64url'),
    secret: true,
    optional: true,
    readBy: ['notification-service'],
    summary: 'The private half of it; needed with VAPID_PUBLIC_KEY.',
  },
  VAPID_SUBJECT: {
    schema: z.string().regex(/^(mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/, 'must be mailto:… or https://…'),
    optional: true,
    readBy: ['notification-service'],
    summary: 'Whom a push service tells of problems; needed with VAPID_PUBLIC_KEY.',
  },
  PUSH_TO_LOOPBACK: {
    schema: z.enum(['yes', 'no']).transform(text => text === 'yes'),
    default: 'no',
    readBy: ['notification-service'],
    summary: 'Whether push endpoints may be on this machine. For tests alone: browsers choose the endpoint.',
  },
  ESCALATE_AFTER_SECONDS: {
    schema: whole(0, 604_800, 'seconds'),
    default: '300',
    readBy: ['notification-service'],
    summary:
      'After how long a notification that nobody has read is pushed and mailed, although its user has a session.',
  },
  DELIVERY_RETRY_FIRST_MS: {
    schema: whole(10, 600_000, 'milliseconds'),
    default: '10000',
    readBy: ['notification-service'],
    summary: 'How long the first retry of a push or an e-mail waits; each next one twice as long, up to an hour.',
  },
  NOTIFICATION_RETENTION_DAYS: {
    schema: whole(1, 3_650, 'days'),
    default: '90',
    readBy: ['notification-service'],
    summary: 'After how long a notification leaves the inbox, read or not, and is forgotten.',
  },
  REMINDER_OFFSETS_MINUTES: {
    schema: reminderOffsets,
    default: '1440,60,15',
    readBy: ['appointment-service', 'local-stack'],
    summary: 'How many minutes before an appointment both are reminded; a user may choose others.',
  },
  APPOINTMENT_BUFFER_MINUTES: {
    schema: whole(0, 240, 'minutes'),
    default: '0',
    readBy: ['appointment-service', 'local-stack'],
    summary: 'What stays free after an appointment. Holds for what is booked or moved from now on.',
  },
  REQUEST_EXPIRES_HOURS: {
    schema: whole(1, 8_760, 'hours'),
    default: '72',
    readBy: ['appointment-service'],
    summary: 'How long a requested appointment waits for an answer before it is cancelled.',
  },
  ATTACHMENT_HOSTS: {
    schema: hosts,
    default: '*',
    readBy: ['messaging-service'],
    summary: 'The hosts that attachments may be on, `*.` in front of one for all below it. * allows any.',
  },
  MESSAGE_RETENTION_DAYS: {
    schema: whole(0, 36_500, 'days'),
    default: '0',
    readBy: ['messaging-service'],
    summary: 'After how many days a message loses its content for good. 0: never.',
  },
  NATS_PORT: {
    schema: port,
    default: '4222',
    readBy: ['local-stack'],
    summary: "The port of the local stack's NATS server.",
  },
  POSTGRES_PORT: {
    schema: port,
    default: '5433',
    readBy: ['local-stack'],
    summary: "The port of the local stack's PostgreSQL.",
  },
  DATA_DIR: {
    schema: z.string().min(1, 'must be a folder'),
    default: '.local',
    readBy: ['local-stack'],
    summary: 'Where the local stack keeps its data and writes local.json.',
  },
  NATS_SERVER: {
    schema: z.string(),
    default: '',
    readBy: ['local-stack'],
    summary: 'The nats-server program to use; found or fetched when empty.',
  },
} as const satisfies Record<string, ConfigRow>;

export type ConfigName = keyof typeof configRows;

type ReadBy<R extends ConfigReader> = {
  [N in ConfigName]: R extends (typeof configRows)[N]['readBy'][number] ? N : never;
}[ConfigName];

/** The checked configuration of a reader: exactly the variables whose row names it. */
export type Config<R extends ConfigReader> = {
  readonly [N in ReadBy<R>]:
    | z.output<(typeof configRows)[N]['schema']>
    | ((typeof configRows)[N] extends { optional: true } ? undefined : never);
};

/** Variables of which a reader needs exactly one. */
export const alternatives: readonly { readBy: ConfigReader; names: readonly ConfigName[]; summary: string }[] = [
  {
    readBy: 'gateway',
    names: ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWKS_URI'],
    summary: 'The key of access tokens, from which the accepted algorithms follow.',
  },
];
