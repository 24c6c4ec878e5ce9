import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ProcessContext } from '@rapport/service';
import { listenOn } from '@rapport/service';
import express from 'express';
import helmet from 'helmet';
import { createAuthenticate } from './authenticate.ts';
import { createKeys } from './keys.ts';
import { servePublicPages } from './public-pages.ts';
import { startRevocations } from './revocations.ts';
import { startSockets } from './sockets.ts';

const CONNECTIONS_CHECK_MS = 1_000;

/** Starts the edge: an HTTP server with `/healthz` and `/readyz`, and Socket.IO on the same port. */
export async function startGateway(context: ProcessContext<'gateway'>): Promise<void> {
  const { bus, config, log, health } = context;
  const app = express();
  app.disable('x-powered-by');
  app.use(helmet());
  app.use(health.routes);
  // A connection that sends its request byte by byte, or none at all, has as long as one that does not authenticate.
  const timeout = config.HANDSHAKE_TIMEOUT_MS;
  const server = createServer(
    { headersTimeout: timeout, requestTimeout: timeout, connectionsCheckingInterval: CONNECTIONS_CHECK_MS },
    app,
  );

  const expected = { issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE };
  const authenticate = createAuthenticate(createKeys(config), expected);
  const actor = { gateway: randomUUID() };
  servePublicPages(app, { bus, log, actor });
  startSockets(server, { authenticate, revocations: await startRevocations(context, actor), actor }, context);

  await listenOn(server, { host: config.HOST, port: config.PORT });
  log.info({ port: (server.address() as AddressInfo).port }, 'accepting connections');
}
