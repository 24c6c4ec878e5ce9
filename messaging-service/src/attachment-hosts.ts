import { invalidPayload, type MessageSendInput } from '@rapport/contracts';

/**
 * Whether an attachment is where attachments may be.
 * @param hosts as `ATTACHMENT_HOSTS` lists them: `*`, a host, or `*.` and what is above it
 * @throws AppError `INVALID_PAYLOAD` that names the field, never the host
 */
export function requireAllowedHost(hosts: readonly string[], attachment: MessageSendInput['attachment']): void {
  if (!attachment || hosts.includes('*')) return;
  const host = URL.parse(attachment.url)?.hostname ?? '';
  const isAllowed = hosts.some(allowed =>
    allowed.startsWith('*.') ? host.endsWith(allowed.slice(1)) : host === allowed,
  );
  if (!isAllowed) throw invalidPayload({ path: 'attachment.url', message: 'must be on one of the allowed hosts' });
}
