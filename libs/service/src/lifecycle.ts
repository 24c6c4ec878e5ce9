import type { Logger } from 'pino';

export interface Lifecycle {
  /** Aborted when the stop begins: the signal for loops and waits. */
  readonly stopping: AbortSignal;
  /** Registers what undoes something that was just started. */
  readonly onStop: (name: string, stop: () => Promise<void> | void) => void;
  /** Runs everything registered, last first, each once. A second call waits for the first. */
  readonly stop: () => Promise<void>;
}

export function createLifecycle(log: Logger): Lifecycle {
  const steps: { name: string; stop: () => Promise<void> | void }[] = [];
  const controller = new AbortController();
  let stopped: Promise<void> | undefined;

  const stopAll = async (): Promise<void> => {
    controller.abort();
    for (let step = steps.pop(); step; step = steps.pop()) {
      try {
        await step.stop();
        log.debug({ step: step.name }, 'stopped');
      } catch (error) {
        log.error({ step: step.name, err: error }, 'a step of the stop failed');
      }
    }
  };

  return {
    stopping: controller.signal,
    onStop: (name, stop) => void steps.push({ name, stop }),
    stop: () => (stopped ??= stopAll()),
  };
}
