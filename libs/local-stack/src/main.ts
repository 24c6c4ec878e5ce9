import { once } from 'node:events';
import { configRows } from '@rapport/contracts';
import { ConfigError, loadConfig } from '@rapport/service/config';
import { greeting } from './greeting.ts';
import { terminalOutput } from './output.ts';
import { inherited, type Environment } from './process-environment.ts';
import { StackError } from './stack-error.ts';
import type { StackOptions } from './stack-options.ts';
import { startStack } from './stack.ts';

// `npm start`: everything on this machine, until Ctrl-C.

/** EX_CONFIG of sysexits.h. */
const EXIT_CONFIG = 78;
const EXIT_FAILURE = 1;
/** A terminal sends Ctrl-C to the whole group and npm sends it once more: each may come twice. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** @returns the exit code: 0 after Ctrl-C */
async function main(environment: Environment): Promise<number> {
  const output = terminalOutput();
  const stopping = new AbortController();
  const stop = (reason?: Error): void => {
    if (stopping.signal.aborted) return;
    stopping.abort(reason);
    output.note('stopping');
  };
  for (const signal of STOP_SIGNALS) process.on(signal, () => stop());
  // Output that nobody reads any more (`npm start | head`) ends here too.
  process.on('uncaughtException', stop);
  try {
    const stack = await startStack({ ...readOptions(environment), output, signal: stopping.signal });
    void stack.failed.then(stop);
    process.stdout.write(greeting(stack));
    await aborted(stopping.signal);
    await stack.stop();
  } catch (error) {
    if (!stopping.signal.aborted) stopping.abort(error);
  }
  return exitCode(stopping.signal.reason);
}

/** An abort without a reason is a signal: the stop was asked for. */
function exitCode(reason: unknown): number {
  if (reason instanceof DOMException) return 0;
  process.stderr.write(`${explain(reason)}\n`);
  return reason instanceof ConfigError ? EXIT_CONFIG : EXIT_FAILURE;
}

function readOptions(environment: Environment): StackOptions {
  const config = loadConfig('local-stack', { CONTACT_POLICY: 'open', ...environment });
  return {
    dataDir: config.DATA_DIR,
    ports: { gateway: config.PORT, nats: config.NATS_PORT, postgres: config.POSTGRES_PORT },
    jwtSecret: config.JWT_SECRET,
    natsUrl: readUrl('NATS_URL', environment),
    databaseUrl: readUrl('DATABASE_URL', environment),
    env: environment,
  };
}

/** With a server of somebody else's the stack starts none of its own, so here the row's default does not count. */
function readUrl(name: 'NATS_URL' | 'DATABASE_URL', environment: Environment): string | undefined {
  const text = environment[name] || undefined;
  const result = configRows[name].schema.optional().safeParse(text);
  if (result.success) return result.data;
  throw new ConfigError([`${name} ${result.error.issues[0]?.message}. ${configRows[name].summary}`]);
}

/** What people can mend is said in their words; for anything else the stack trace is what helps. */
function explain(error: unknown): string {
  if (error instanceof StackError || error instanceof ConfigError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

process.exit(await main(inherited));
