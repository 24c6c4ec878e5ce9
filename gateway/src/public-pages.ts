import { gunzipSync } from 'node:zlib';
import { requestAsGateway, type Bus } from '@rapport/bus';
import {
  AppError,
  ERROR_CODES,
  gatewayCalls,
  MAX_FORM_BYTES,
  publicPages,
  type GatewayActor,
  type PageCallName,
  type PublicPage,
} from '@rapport/contracts';
import type { ProcessContext } from '@rapport/service';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { createRateLimit } from './rate-limits.ts';

// Pages for whoever has their address, such as a calendar program: the gateway turns each request into one to the
// service that owns the page, and shows what it answers. The address is the secret, so it is in no log and no cache.

/** Of one page: a calendar program asks every few minutes, and again at once when it was interrupted. */
const PAGE_BURST = 30;
const PAGE_PER_SECOND = 0.2;
/** Of all pages of a gateway: what is above it would only take from the sockets. */
const ALL_BURST = 200;
const ALL_PER_SECOND = 100;
/** Full buckets are forgotten after so many requests. */
const FORGET_EVERY = 1_000;

interface PageOptions {
  bus: Bus;
  log: ProcessContext<'gateway'>['log'];
  actor: GatewayActor;
}

export function servePublicPages(app: Express, { bus, log, actor }: PageOptions): void {
  const limit = createLimit();
  for (const { method, path, call } of publicPages) {
    const readForm = method === 'post' ? [express.text({ type: () => true, limit: MAX_FORM_BYTES })] : [];
    app[method](path, ...readForm, async (request, response) => {
      response.set({ 'Cache-Control': 'no-store', Vary: 'Accept-Encoding', 'X-Robots-Tag': 'noindex' });
      try {
        limit(request.path);
        show(await ask(bus, actor, call, request), request, response);
      } catch (error) {
        refuse(error, response, failure => log.error({ page: path, err: failure }, 'a page failed'));
      }
    });
  }
  // What cannot be read: a form that is too large, an address that is badly encoded. Express would print it.
  app.use((_error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    response.status(400).type('text/plain').send('This request is not understood.\n');
  });
}

async function ask(bus: Bus, actor: GatewayActor, call: PageCallName, request: Request): Promise<PublicPage> {
  const input = gatewayCalls[call].input.safeParse({
    ...request.params,
    ifNoneMatch: request.get('If-None-Match'),
    form: typeof request.body === 'string' ? request.body : '',
  });
  // An address that cannot be one looks like one that is not there.
  if (!input.success) return { status: 404 };
  const ack = (await requestAsGateway(bus, call, { actor, input: input.data })).read();
  if (ack.ok) return ack.data;
  const { code, message, retryAfterMs } = ack.error;
  throw new AppError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}

function show({ status, contentType, etag, gzipped }: PublicPage, request: Request, response: Response): void {
  response.status(status);
  if (etag !== undefined) response.set('ETag', etag);
  if (status === 304) {
    response.end();
    return;
  }
  if (gzipped === undefined) {
    response.type('text/plain').send(status === 404 ? 'There is nothing here.\n' : '');
    return;
  }
  const packed = Buffer.from(gzipped, 'base64');
  const isPacked = request.acceptsEncodings('gzip') === 'gzip';
  if (isPacked) response.set('Content-Encoding', 'gzip');
  response.set('Content-Type', contentType ?? 'application/octet-stream');
  response.send(isPacked ? packed : gunzipSync(packed));
}

function refuse(error: unknown, response: Response, report: (error: unknown) => void): void {
  const known = error instanceof AppError ? error : undefined;
  if (!known) report(error);
  const retryAfterMs = known?.retryAfterMs;
  if (retryAfterMs !== undefined) response.set('Retry-After', String(Math.ceil(retryAfterMs / 1_000)));
  response.status(known?.code === 'RATE_LIMITED' ? 429 : ERROR_CODES[known?.code ?? 'INTERNAL']);
  response.type('text/plain').send('Please try again later.\n');
}

/** @returns what takes a token for the page. @throws AppError `RATE_LIMITED` */
function createLimit(): (page: string) => void {
  const all = createRateLimit('requests', ALL_BURST, ALL_PER_SECOND);
  const each = createRateLimit('requests', PAGE_BURST, PAGE_PER_SECOND);
  let taken = 0;
  return page => {
    all.take('all');
    each.take(page);
    if ((taken += 1) % FORGET_EVERY === 0) each.forget();
  };
}
