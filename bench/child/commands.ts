/** What a child process does when its parent asks, by name. Arguments and results travel as JSON. */
export type Commands = Record<string, (input: never) => unknown>;

interface Call {
  readonly id: number;
  readonly command: string;
  readonly input: unknown;
}

export type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

/** Answers the parent's calls until it is gone, or says stop; then this process ends. */
export function answerParent(commands: Commands): void {
  process.on('message', ({ id, command, input }: Call) => {
    const run = async (): Promise<unknown> => commands[command]?.(input as never);
    run().then(
      result => process.send?.({ id, result }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
  // An exit of its own: a profiler that is preloaded writes its file then.
  process.on('SIGTERM', () => process.exit());
  process.send?.('ready');
}
