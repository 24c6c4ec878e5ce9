import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { env } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { atEnd } from './kit.ts';

/** A real process, its log lines, and how it ended. */
export interface Child {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
  /** Resolves to the first log line, earlier ones included, whose message is the given one. */
  logged(message: string): Promise<Record<string, unknown>>;
  /** `0`, `78`, `SIGKILL`… */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/** A child inherits nothing else of the environment that the tests run in. */
const PLAIN_ENVIRONMENT = { PATH: env['PATH'] };

/**
 * Runs a program of the repository with exactly the given environment. Killed at the end of the file at the latest.
 * @param source its path from the root of the repository
 */
export function runChild(source: string, variables: Record<string, string>, args: readonly string[] = []): Child {
  const file = fileURLToPath(new URL(`../../../${source}`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...PLAIN_ENVIRONMENT, ...variables },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new TypeError('its output is not piped');
  const lines: string[] = [];
  const errors: string[] = [];
  const waiting = new Set<() => void>();
  const output = createInterface({ input: stdout }).on('line', line => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const errorOutput = createInterface({ input: stderr }).on('line', line => errors.push(line));
  // The last lines may come after `exit`, and `close` does not come when this side has broken the channel.
  const ended = Promise.all([once(child, 'exit'), once(output, 'close'), once(errorOutput, 'close')]).then(
    ([[code, signal]]) => (code ?? signal) as number | NodeJS.Signals | null,
  );
  atEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const find = (message: string) =>
    lines.map(line => JSON.parse(line) as Record<string, unknown>).find(line => line['msg'] === message);
  return {
    process: child,
    lines,
    errors,
    ended,
    logged: message =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const line = find(message);
          if (line) resolve(line);
        };
        waiting.add(look);
        look();
        const all = () => [`it ended without "${message}"`, ...lines, ...errors].join('\n');
        void ended.then(() => reject(new Error(all())));
      }),
  };
}
