import { setTimeout as sleep } from 'node:timers/promises';
import { runProcess } from '../src/process.ts';

// A process for process.test.ts: the gateway's name and configuration, and a part of its own that does what
// the first argument says.

export type Behaviour =
  | 'plain'
  | 'throws'
  | 'rejects'
  | 'fails to start'
  | 'stops too slowly'
  | 'throws in its stop'
  | 'starts slowly';

const behaviour = process.argv[2] as Behaviour;

runProcess('gateway', async ({ log, onStop, stopping }) => {
  for (const name of ['first', 'second', 'third']) onStop(name, () => log.info({ step: name }, 'fixture step stopped'));
  if (behaviour === 'fails to start') throw new Error('the database is not there');
  if (behaviour === 'throws') process.on('SIGUSR2', () => throwLater('thrown'));
  if (behaviour === 'rejects') process.on('SIGUSR2', () => void Promise.reject(new Error('rejected')));
  if (behaviour === 'stops too slowly') onStop('endless', () => sleep(3_600_000));
  if (behaviour === 'throws in its stop') {
    onStop('throws', async () => {
      throwLater('thrown');
      // A turn of the event loop and a little more: the error arrives in the middle of the stop.
      await sleep(50);
    });
  }
  if (behaviour === 'starts slowly') {
    log.info('fixture is starting');
    await sleep(3_600_000, undefined, { signal: stopping });
  }
});

function throwLater(message: string): void {
  setImmediate(() => {
    throw new Error(message);
  });
}
