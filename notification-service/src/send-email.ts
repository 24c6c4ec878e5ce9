import { createTransport } from 'nodemailer';
import { codeOf, type Outcome, type Parcel, type Send } from './sending.ts';
import { writeEmail } from './write-email.ts';

/** Connections to the mail server. */
export const SMTP_CONNECTIONS = 10;
const CONNECT_MS = 10_000;
/** Without a byte for as long, the server is gone. */
const SILENCE_MS = 20_000;
/** All of an attempt; less than a lease, so that nobody else begins while this one goes on. */
const ATTEMPT_MS = 60_000;

export interface Mailing {
  readonly send: Send;
  close(): void;
}

/**
 * Sends e-mails over a pool of connections.
 * @param options.url `smtps://…`, or `smtp://…` which must be able to STARTTLS unless it is on this machine or the
 *   URL says `?requireTLS=false`
 */
export function createMailing(options: {
  url: string;
  from: string;
  unsubscribeUrl: (userId: string, type: string) => string;
}): Mailing {
  const { url, from, unsubscribeUrl } = options;
  const transport = createTransport(
    {
      url,
      pool: true,
      maxConnections: SMTP_CONNECTIONS,
      // Its own retries would not know what was read meanwhile: ours do.
      maxRequeues: 0,
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      requireTLS: needsTls(url),
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  );
  return {
    async send(parcel: Parcel): Promise<Outcome> {
      if (parcel.email === undefined) return { kind: 'gone', code: 'no_address' };
      const unsubscribe = unsubscribeUrl(parcel.userId, parcel.type);
      try {
        await transport.sendMail({
          ...writeEmail(parcel, unsubscribe),
          to: { name: '', address: parcel.email },
          // The same for each attempt: where one arrived after all, the mailbox can tell.
          messageId: `<${parcel.deliveryId}@${domainOf(from)}>`,
          headers: {
            // RFC 8058: the mailbox's own button.
            'List-Unsubscribe': `<${unsubscribe}>`,
            'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
            // RFC 3834: nobody's absence notice is wanted.
            'Auto-Submitted': 'auto-generated',
          },
          signal: AbortSignal.timeout(ATTEMPT_MS),
        });
        return { kind: 'sent' };
      } catch (error) {
        return outcomeOf(error);
      }
    },
    close: () => transport.close(),
  };
}

interface SmtpError {
  readonly responseCode?: unknown;
  readonly code?: unknown;
  readonly command?: unknown;
  /** Of an error of the socket: `connect`, `read`… */
  readonly syscall?: unknown;
  readonly timeoutType?: unknown;
}

/** RFC 5321, 4.2.1: 4yz may work later, 5yz will not. */
function outcomeOf(error: unknown): Outcome {
  const { responseCode } = error as SmtpError;
  if (isOutage(error as SmtpError)) return { kind: 'outage', code: codeOf(error) };
  if (typeof responseCode !== 'number') return { kind: 'failed', code: codeOf(error) };
  return { kind: responseCode >= 500 ? 'refused' : 'failed', code: `smtp_${responseCode}` };
}

/**
 * Whether it did not get as far as this e-mail: no other one would have. A connection that breaks in the middle is
 * `CONN` to the library as well, and none.
 */
function isOutage({ code, command, syscall, timeoutType }: SmtpError): boolean {
  return (
    OWN_FAULTS.has(String(code)) ||
    (code === 'EPROTOCOL' && command === 'CONN') ||
    syscall === 'connect' ||
    timeoutType === 'CONNECT_TIMEOUT' ||
    timeoutType === 'GREETING_TIMEOUT'
  );
}

/** The credentials, the encryption or the name of the server are wrong, not the e-mail. */
const OWN_FAULTS: ReadonlySet<string> = new Set(['EAUTH', 'ENOAUTH', 'EOAUTH2', 'ETLS', 'EREQUIRETLS', 'EDNS']);

function needsTls(url: string): boolean {
  const { hostname, searchParams } = new URL(url);
  if (searchParams.has('requireTLS')) return searchParams.get('requireTLS') !== 'false';
  return !['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

function domainOf(from: string): string {
  return /@([^<>\s@]+?)>?$/.exec(from)?.[1] ?? 'localhost';
}
