import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Answer, Commands } from './commands.ts';

/** A process of the bench, and its commands. */
export interface Child<C extends Commands> {
  readonly pid: number;
  /** Rejects when the command does, or the process ends before it has answered. */
  call<N extends keyof C & string>(command: N, input: Parameters<C[N]>[0]): Promise<Awaited<ReturnType<C[N]>>>;
  stop(): Promise<void>;
}

/** Starts the program, which must call `answerParent`, and waits until it answers. It ends with this process. */
export async function startChild<C extends Commands>(
  program: URL,
  { env = {}, args = [] }: { env?: NodeJS.ProcessEnv; args?: string[] } = {},
): Promise<Child<C>> {
  const child = fork(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  const ready = Promise.withResolvers<void>();
  child.on('message', (message: Answer | 'ready') => {
    if (message === 'ready') {
      ready.resolve();
      return;
    }
    const caller = waiting.get(message.id);
    waiting.delete(message.id);
    if ('error' in message) caller?.reject(new Error(message.error));
    else caller?.resolve(message.result as never);
  });
  child.once('exit', () => {
    const gone = new Error(`${program.pathname} has ended`);
    ready.reject(gone);
    for (const { reject } of waiting.values()) reject(gone);
  });
  await ready.promise;
  let calls = 0;
  return {
    pid: child.pid ?? 0,
    call: (command, input) =>
      new Promise((resolve, reject) => {
        const id = (calls += 1);
        waiting.set(id, { resolve, reject });
        child.send({ id, command, input }, error => error && reject(error));
      }),
    stop: () => end(child),
  };
}

/** What a process gets to end in good order. */
const PATIENCE_MS = 5_000;

/** Ends a process that was started with `fork`, with SIGKILL when it does not listen. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await ended;
  clearTimeout(late);
}
