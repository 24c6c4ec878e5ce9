import type { PublicPage } from './public-page.ts';
import type { gatewayCalls, GatewayCallName } from './table.ts';

/** The requests that are answered with a page. */
export type PageCallName = {
  [N in GatewayCallName]: (typeof gatewayCalls)[N]['output'] extends typeof PublicPage ? N : never;
}[GatewayCallName];

/** What a gateway serves over HTTP to whoever has the address, which holds a secret. */
export interface PublicPageRow {
  readonly method: 'get' | 'post';
  /** In the form of Express; its parameters are fields of the request's input, as is the `form` that was posted. */
  readonly path: string;
  readonly call: PageCallName;
}

export const publicPages: readonly PublicPageRow[] = [
  { method: 'get', path: '/calendar/:secret.ics', call: 'calendar.read' },
  { method: 'get', path: '/unsubscribe/:key', call: 'unsubscribe.show' },
  { method: 'post', path: '/unsubscribe/:key', call: 'unsubscribe.confirm' },
];
