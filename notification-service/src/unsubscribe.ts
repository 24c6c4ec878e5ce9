import type { Seal } from '@rapport/service/seal';

/** What a link in an e-mail stands for. */
export interface Unsubscription {
  readonly userId: string;
  readonly type: string;
}

const IDENTITY = 'unsubscribe';
const UNSUBSCRIBE_PATH = '/unsubscribe/';

/** The links at the end of e-mails: encrypted, so that nobody on the way reads whose they are, or makes one. */
export function createUnsubscribeUrl(seal: Seal, publicUrl: string): (userId: string, type: string) => string {
  return (userId, type) => {
    const what: Unsubscription = { userId, type };
    const { sealed, keyId } = seal.close(what, IDENTITY);
    const token = `${keyId}.${Buffer.from(sealed).toString('base64url')}`;
    return new URL(`.${UNSUBSCRIBE_PATH}${token}`, publicUrl.replace(/\/*$/, '/')).href;
  };
}

/** @returns `undefined` when the token is none of ours */
export function readUnsubscription(seal: Seal, token: string): Unsubscription | undefined {
  const [keyId = '', sealed = ''] = token.split('.');
  try {
    return seal.open(Buffer.from(sealed, 'base64url'), keyId, IDENTITY) as Unsubscription;
  } catch {
    return undefined;
  }
}
