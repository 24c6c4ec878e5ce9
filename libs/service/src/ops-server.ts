import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import helmet from 'helmet';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';

/** Serves `/healthz`, `/readyz` and `/metrics` on the operations port, and resolves to the port. */
export async function startOpsServer(
  where: { host: string; port: number },
  health: Health,
  metrics: Metrics,
): Promise<{ port: number; stop(): Promise<void> }> {
  const app = express();
  app.disable('x-powered-by');
  app.use(helmet());
  app.use(health.routes);
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  const server = createServer(app);
  await listenOn(server, where);
  return { port: (server.address() as AddressInfo).port, stop: () => closeServer(server) };
}

/** Resolves when the server listens; rejects when it cannot, a taken port above all. */
export function listenOn(server: Server, where: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where.port, where.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
