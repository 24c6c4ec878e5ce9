import { createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ProcessContext } from '@rapport/service';
import { listenOn } from '@rapport/service';
import express from 'express';
import helmet from 'helmet';
import { startSockets } from './sockets.ts';

/** Starts the edge: an HTTP server with `/healthz` and `/readyz`, and Socket.IO on the same port. */
export async function startGateway(context: ProcessContext<'gateway'>): Promise<void> {
  const { config, log, health } = context;
  const app = express();
  app.disable('x-powered-by');
  app.use(helmet());
  app.use(health.routes);
  const server = createServer(app);

  // Made once: verifying with the secret as a string would be 42 times slower.
  const key = createSecretKey(Buffer.from(config.JWT_SECRET));
  startSockets(server, key, context);

  await listenOn(server, { host: config.HOST, port: config.PORT });
  log.info({ port: (server.address() as AddressInfo).port }, 'accepting connections');
}
