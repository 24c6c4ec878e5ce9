import { setTimeout as sleep } from 'node:timers/promises';
import express, { type Router } from 'express';

export interface Health {
  /** Adds something that must work before this process is ready. */
  add(name: string, check: () => Promise<void>): void;
  /** `/healthz`: the process lives. `/readyz`: everything it needs is really reachable. */
  readonly routes: Router;
}

/** A check that takes longer than an orchestrator waits has failed. */
const CHECK_TIMEOUT_MS = 2_000;

export function createHealth(): Health {
  const checks = new Map<string, () => Promise<void>>();
  const routes = express.Router();
  routes.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  routes.get('/readyz', async (_request, response) => {
    const results = await Promise.all([...checks].map(async ([name, check]) => [name, await outcome(check)] as const));
    const ready = results.every(([, result]) => result === 'ok');
    response
      .status(ready ? 200 : 503)
      .json({ status: ready ? 'ok' : 'unavailable', checks: Object.fromEntries(results) });
  });
  return { add: (name, check) => void checks.set(name, check), routes };
}

async function outcome(check: () => Promise<void>): Promise<'ok' | 'failing'> {
  const timeout = new AbortController();
  try {
    const late = sleep(CHECK_TIMEOUT_MS, undefined, { signal: timeout.signal }).then(() => {
      throw new Error('timed out');
    });
    await Promise.race([check(), late]);
    return 'ok';
  } catch {
    // The log says why: whatever is not reachable reports it where it happens.
    return 'failing';
  } finally {
    timeout.abort();
  }
}
