import { gzipSync } from 'node:zlib';
import type { GatewayCall } from '@rapport/bus';
import type { PreferencesChange, PublicPage } from '@rapport/contracts';
import type { Database } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import type { Chosen } from './choices.ts';
import { escapeHtml } from './escape-html.ts';
import { ProfileEntity } from './profile.ts';
import { changePreferences } from './set-preferences.ts';
import type { Texts, TextsOf } from './texts.ts';
import { readUnsubscription, type Unsubscription } from './unsubscribe.ts';

interface PageOptions {
  orm: Database['orm'];
  seal: Seal;
  textsOf: TextsOf;
}

/** The page behind the link at the end of an e-mail. It changes nothing: mail scanners open every link. */
export function createShowUnsubscribe({ orm, seal, textsOf }: PageOptions) {
  return async ({ input }: GatewayCall<'unsubscribe.show'>): Promise<PublicPage> => {
    const unsubscription = readUnsubscription(seal, input.key);
    if (!unsubscription) return invalid(textsOf);
    const texts = await textsFor(orm, textsOf, unsubscription.userId);
    return page(200, texts, question(texts));
  };
}

/** The mailbox's own button posts `List-Unsubscribe=One-Click` (RFC 8058), those of the page `stop=these` or `stop=all`. */
export function createConfirmUnsubscribe({ orm, seal, textsOf }: PageOptions) {
  return async ({ input }: GatewayCall<'unsubscribe.confirm'>): Promise<PublicPage> => {
    const unsubscription = readUnsubscription(seal, input.key);
    if (!unsubscription) return invalid(textsOf);
    const all = new URLSearchParams(input.form).get('stop') === 'all';
    await changePreferences(orm, unsubscription.userId, chosen =>
      all ? withoutEmails(chosen) : withoutThese(chosen, unsubscription),
    );
    const texts = await textsFor(orm, textsOf, unsubscription.userId);
    return page(200, texts, message(texts, 'done'));
  };
}

async function textsFor(orm: Database['orm'], textsOf: TextsOf, userId: string): Promise<Texts> {
  const profile = await orm.em.fork().findOne(ProfileEntity, { userId });
  return textsOf(profile?.locale);
}

function invalid(textsOf: TextsOf): PublicPage {
  const texts = textsOf(undefined);
  return page(404, texts, message(texts, 'invalid'));
}

function withoutThese({ types }: Chosen, { type }: Unsubscription): PreferencesChange {
  return { types: { [type]: { ...types?.[type], email: false } } };
}

function withoutEmails({ types = {} }: Chosen): PreferencesChange {
  return {
    channels: { email: false },
    types: Object.fromEntries(Object.entries(types).map(([type, channels]) => [type, { ...channels, email: false }])),
  };
}

function question(texts: Texts): string {
  const button = (value: string, label: string) =>
    `<p><button name="stop" value="${value}">${escapeHtml(label)}</button></p>`;
  return [
    `<p>${escapeHtml(texts.sentence('page.question'))}</p>`,
    '<form method="post">',
    button('these', texts.sentence('page.stopThese')),
    button('all', texts.sentence('page.stopAll')),
    '</form>',
  ].join('\n');
}

function message(texts: Texts, key: 'done' | 'invalid'): string {
  return `<p>${escapeHtml(texts.sentence(`page.${key}`))}</p>`;
}

function page(status: 200 | 404, texts: Texts, content: string): PublicPage {
  const title = escapeHtml(texts.sentence('page.title'));
  const body = `<!doctype html>
<html lang="${escapeHtml(texts.language)}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<title>${title}</title></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 40rem; margin: 2rem auto; padding: 0 1rem">
<h1>${title}</h1>
${content}
</body>
</html>
`;
  return { status, contentType: 'text/html; charset=utf-8', gzipped: gzipSync(body).toString('base64') };
}
