import { isId } from './ids.ts';

// The grammar of every subject:
//
//   rpc.v1.user.<noun>.<verb>                     a request made for a user; only gateways may publish it
//   rpc.v1.service.<noun>.<verb>                  a request made by a service or the back office
//   rpc.v1.gateway.<noun>.<verb>                  a request made by a gateway of its own accord
//   event.v1.<noun>.<past participle>             a fact
//   deliver.v1.user.<id>.<noun>.<verb>            a delivery to the sockets of one user
//   deliver.v1.therapist.<id>.<noun>.<verb>       … to the sockets of one therapist's room
//   deliver.v1.all.<noun>.<verb>                  … to every socket
//   control.v1.<noun>.<verb>                      a message to every gateway
//
// An event of the socket is `noun:verb`, the same event on a subject is `noun.verb`.

/** Stands for any id in a subject that is listened to or granted. A symbol, so that no input can be one. */
export const ANY_ID = Symbol('any id');
/** Stands for any name, in the same way. */
export const ANY_NAME = Symbol('any name');

export type Recipient<IdToken = string> = { user: IdToken } | { therapist: IdToken } | 'all';

export type Subject<IdToken = string, Name = string> =
  | { family: 'request'; caller: 'user' | 'service' | 'gateway'; name: Name }
  | { family: 'fact'; name: Name }
  | { family: 'delivery'; to: Recipient<IdToken>; name: Name }
  | { family: 'control'; name: Name };

const NAME = /^[a-z][a-z-]*[.:][a-z][a-z-]*$/;
/** On a subject the two tokens of a name are always apart. */
const NAME_TOKENS = /^[a-z][a-z-]*[.][a-z][a-z-]*$/;

/**
 * Builds the subject, or with `ANY_ID` and `ANY_NAME` the pattern, that the parts describe.
 * @throws TypeError when an id is not subject-safe or a name is not `noun.verb` or `noun:verb`
 */
export function buildSubject(parts: Subject<string | typeof ANY_ID, string | typeof ANY_NAME>): string {
  const name = nameTokens(parts.name);
  switch (parts.family) {
    case 'request':
      return `rpc.v1.${parts.caller}.${name}`;
    case 'fact':
      return `event.v1.${name}`;
    case 'control':
      return `control.v1.${name}`;
    case 'delivery':
      return `deliver.v1.${recipientTokens(parts.to)}.${name}`;
  }
}

/** Reads a subject back into its parts; `undefined` when it is none of ours. Names come back as `noun.verb`. */
export function readSubject(subject: string): Subject | undefined {
  const [head, version, ...rest] = subject.split('.');
  if (version !== 'v1') return undefined;
  const name = rest.slice(-2).join('.');
  if (!NAME_TOKENS.test(name)) return undefined;
  const address = rest.slice(0, -2);
  const [kind, id] = address;
  if (head === 'event' && address.length === 0) return { family: 'fact', name };
  if (head === 'control' && address.length === 0) return { family: 'control', name };
  if (head === 'rpc' && address.length === 1 && (kind === 'user' || kind === 'service' || kind === 'gateway')) {
    return { family: 'request', caller: kind, name };
  }
  if (head !== 'deliver') return undefined;
  if (address.length === 1 && kind === 'all') return { family: 'delivery', to: 'all', name };
  if (address.length !== 2 || !isId(id)) return undefined;
  if (kind === 'user') return { family: 'delivery', to: { user: id }, name };
  if (kind === 'therapist') return { family: 'delivery', to: { therapist: id }, name };
  return undefined;
}

/** `message.received` → `message:received`: the name that a socket knows. */
export function toSocketEvent(name: string): string {
  return name.replace('.', ':');
}

function nameTokens(name: string | typeof ANY_NAME): string {
  if (name === ANY_NAME) return '>';
  if (!NAME.test(name)) throw new TypeError('a name is noun.verb or noun:verb');
  return name.replace(':', '.');
}

function recipientTokens(to: Recipient<string | typeof ANY_ID>): string {
  if (to === 'all') return 'all';
  return 'user' in to ? `user.${idToken(to.user)}` : `therapist.${idToken(to.therapist)}`;
}

function idToken(id: string | typeof ANY_ID): string {
  if (id === ANY_ID) return '*';
  if (!isId(id)) throw new TypeError('an id in a subject is 1 to 64 of A-Z a-z 0-9 _ -');
  return id;
}
