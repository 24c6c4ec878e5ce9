import { z } from 'zod';
import { healthData } from './health-data.ts';
import { PublicPage } from './public-page.ts';
import type { GatewayCallRow } from './rows.ts';

// Whoever has the key may do what it is for.
const Key = healthData(z.string().regex(/^[A-Za-z0-9_.-]{1,500}$/, 'must be the key of a link to unsubscribe'));

/** What a mailbox posts, and what the two buttons of the page do, is far shorter. */
export const MAX_FORM_BYTES = 4_096;

/** The link at the end of an e-mail. */
export const unsubscribeCalls = {
  'unsubscribe.show': {
    summary: 'The page behind the link at the end of an e-mail. It changes nothing: mail scanners open every link.',
    input: z.object({ key: Key }),
    output: PublicPage,
    answeredBy: 'notification-service',
  },
  'unsubscribe.confirm': {
    summary: "What a button of the page posts, or the mailbox's own (RFC 8058): no more of these e-mails.",
    input: z.object({ key: Key, form: z.string().max(MAX_FORM_BYTES) }),
    output: PublicPage,
    answeredBy: 'notification-service',
  },
} as const satisfies Record<string, GatewayCallRow>;
