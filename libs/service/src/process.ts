import { closeBus, connectBus, pingBus, type Bus } from '@rapport/bus';
import { factConsumers, type Config, type ProcessName } from '@rapport/contracts';
import type { Logger } from 'pino';
import { EXIT_CONFIG, reportMistakes } from './command.ts';
import { ConfigError, loadConfig } from './config.ts';
import { createHealth, type Health } from './health.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createLogger } from './logger.ts';
import { createMetrics, observeBus, observeConsumers, type Metrics } from './metrics.ts';
import { startOpsServer } from './ops-server.ts';
import { startTracing } from './tracing.ts';

/** What every process has before its own part starts. */
export interface ProcessContext<N extends ProcessName> {
  readonly config: Config<N>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly bus: Bus;
  readonly stopping: AbortSignal;
  readonly onStop: Lifecycle['onStop'];
}

/** The process's own part. Whatever it starts it registers with `onStop` at once. */
export type StartProcess<N extends ProcessName> = (context: ProcessContext<N>) => Promise<void>;

/** What every process reads. The compiler cannot see through a generic name that it is part of `Config<N>`. */
type CommonConfig = Config<ProcessName>;

interface ProcessSetUp<N extends ProcessName> {
  readonly name: N;
  readonly config: Config<N> & CommonConfig;
  readonly log: Logger;
  readonly lifecycle: Lifecycle;
}

const EXIT_FAILURE = 1;

/**
 * Runs a process until SIGTERM, SIGINT, the end of the parent that started it over an IPC channel, or an
 * error that nobody caught. A stop that misses its deadline, and any error, end with a non-zero code.
 */
export function runProcess<N extends ProcessName>(name: N, start: StartProcess<N>): void {
  let config: Config<N> & CommonConfig;
  try {
    config = loadConfig(name) as Config<N> & CommonConfig;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    reportMistakes(name, error);
    return;
  }
  const log = createLogger(name, config.LOG_LEVEL);
  const lifecycle = createLifecycle(log);
  const end = endOnce(lifecycle, log, config.SHUTDOWN_TIMEOUT_MS);

  // A terminal sends Ctrl-C to the whole group and npm sends it once more, so a repeat means nothing.
  process.on('SIGTERM', () => end('SIGTERM', 0));
  process.on('SIGINT', () => end('SIGINT', 0));
  process.on('disconnect', () => end('the parent is gone', 0));
  const fail = (error: unknown) => {
    log.fatal({ err: error }, 'the process cannot go on');
    end('an error', EXIT_FAILURE);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);

  // The parent may be gone before this line was reached. Without a parent's channel this is undefined.
  if (!(process.connected ?? true)) end('the parent is gone', 0);

  startProcess({ name, config, log, lifecycle }, start).catch((error: unknown) => {
    if (lifecycle.stopping.aborted) return;
    // A mistake that shows only when the value is used, such as a key of the wrong kind.
    if (error instanceof ConfigError) {
      reportMistakes(name, error);
      end('a mistake in the configuration', EXIT_CONFIG);
    } else {
      fail(error);
    }
  });
}

/**
 * Starts a process inside this one, in order: operations port, NATS, the process's own part.
 * Rejects with what went wrong; what had been started by then is undone by `lifecycle.stop()`.
 */
async function startProcess<N extends ProcessName>(setUp: ProcessSetUp<N>, start: StartProcess<N>): Promise<void> {
  const { name, config, log, lifecycle } = setUp;
  startTracing();
  const metrics = createMetrics(log);
  const health = createHealth();
  let started = false;
  health.add('started', () =>
    started && !lifecycle.stopping.aborted ? Promise.resolve() : Promise.reject(new Error()),
  );

  const ops = await startOpsServer({ host: config.OPS_HOST, port: config.OPS_PORT }, health, metrics);
  lifecycle.onStop('operations port', () => ops.stop());

  const bus = await connectBus(
    {
      servers: config.NATS_URL,
      as: name,
      user: config.NATS_USER,
      password: config.NATS_PASSWORD,
      requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
      observer: observeBus(metrics, log, throwOutside),
    },
    lifecycle.stopping,
  );
  lifecycle.onStop('NATS connection', () => closeBus(bus));
  health.add('nats', () => pingBus(bus));
  const consumers = factConsumers().filter(({ service }) => service === name);
  observeConsumers(metrics, bus, log, consumers);

  const { stopping, onStop } = lifecycle;
  await start({ config, log, metrics, health, bus, stopping, onStop });
  started = true;
  log.info({ opsPort: ops.port }, 'ready');
}

/** Out of any promise, so that it reaches the handler of uncaught errors. */
function throwOutside(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}

function endOnce(lifecycle: Lifecycle, log: Logger, deadlineMs: number): (why: string, exitCode: number) => void {
  let ending = false;
  let worst = 0;
  return (why, exitCode) => {
    // An error in the middle of an orderly stop is an error all the same.
    worst = Math.max(worst, exitCode);
    if (ending) return;
    ending = true;
    log.info({ why }, 'stopping');
    setTimeout(() => {
      log.error({ deadlineMs }, 'the stop missed its deadline');
      process.exit(EXIT_FAILURE);
    }, deadlineMs);
    void lifecycle.stop().then(() => {
      log.info('stopped');
      process.exit(worst);
    });
  };
}
