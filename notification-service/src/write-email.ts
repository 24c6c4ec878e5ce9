import { escapeHtml } from './escape-html.ts';
import type { Parcel } from './sending.ts';

/** An e-mail that says that there is something new, and nothing else. */
export function writeEmail(
  { texts, type, count }: Pick<Parcel, 'texts' | 'type' | 'count'>,
  unsubscribeUrl: string,
): { subject: string; text: string; html: string } {
  const push = texts.discreet(type, count);
  const [greeting, text, why, unsubscribe] = [
    texts.sentence('email.greeting'),
    texts.sentence('email.text', { push }),
    texts.sentence('email.why'),
    texts.sentence('email.unsubscribe'),
  ];
  return {
    subject: push,
    text: `${greeting}\n\n${text}\n\n-- \n${why}\n${unsubscribe}: ${unsubscribeUrl}\n`,
    html: `<!doctype html>
<html lang="${escapeHtml(texts.language)}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(push)}</title></head>
<body style="font-family: sans-serif; line-height: 1.5">
<p>${escapeHtml(greeting)}</p>
<p>${escapeHtml(text)}</p>
<p style="color: #666; font-size: small">${escapeHtml(why)}<br>
<a href="${escapeHtml(unsubscribeUrl)}">${escapeHtml(unsubscribe)}</a></p>
</body>
</html>
`,
  };
}
