import { setTimeout as sleep } from 'node:timers/promises';
import { alternate } from '../measure/alternate.ts';
import type { Findings } from '../measure/comparison.ts';
import type { Options } from './options.ts';
import { startPeople, type People } from './people.ts';
import { startBaseline, startProduct, type Ground, type Server } from './servers.ts';

const POLL_MS = 5;

/** Authenticated connects a second, each until the person knows who is there; and those who watch them have been told. */
export async function measureConnectRate(ground: Ground, options: Options): Promise<Findings> {
  const { connects, watchers, contacts, runs } = options;
  const on = async <S extends Server>(
    starting: Promise<S>,
    tellsState: boolean,
    measure: (people: People, server: S) => Promise<number>,
  ): Promise<number> => {
    const server = await starting;
    const people = await startPeople(ground.jwtSecret, tellsState);
    try {
      return connects / (await measure(people, server));
    } finally {
      await people.stop();
      await server.stop();
    }
  };

  /** Everybody was there, is cut off, and comes back. */
  const again = async (people: People, { target }: Server): Promise<number> => {
    await people.gather(target, connects, 'user');
    await people.cutAndReturn();
    return people.cutAndReturn();
  };
  /** The contacts are there already, and are told of each who comes for the first time. */
  const anew = async (people: People, { target }: Server, told: number): Promise<number> => {
    await people.gather(target, watchers, 'watcher');
    await people.gather(target, connects, 'warm');
    await people.forget();
    const start = performance.now();
    await people.gather(target, connects, 'user');
    while ((await people.seen()).online < told) await sleep(POLL_MS);
    return (performance.now() - start) / 1_000;
  };

  const results = await alternate(runs, {
    again: () => on(startProduct(ground, []), true, again),
    bareAgain: () => on(startBaseline(ground), false, again),
    anew: () =>
      on(startProduct(ground, watching(connects, watchers, contacts)), true, (people, server) =>
        anew(people, server, connects * contacts),
      ),
    bareAnew: () => on(startBaseline(ground), false, (people, server) => anew(people, server, 0)),
  });
  const common = { unit: '/s', baselineName: 'Socket.IO, token and room' };
  return {
    comparisons: [
      {
        ...common,
        what: 'reconnects within the grace',
        product: results.again,
        baseline: results.bareAgain,
        bar: { atLeast: 0.5 },
      },
      {
        ...common,
        what: `connects with ${contacts} online contacts`,
        product: results.anew,
        baseline: results.bareAnew,
        bar: { atLeast: 0.25 },
      },
    ],
  };
}

/** Each person who connects is in the care of `contacts` of the watchers. */
function* watching(connects: number, watchers: number, contacts: number): Generator<[string, string]> {
  for (const prefix of ['user', 'warm']) {
    for (let person = 0; person < connects; person += 1) {
      for (let contact = 0; contact < contacts; contact += 1) {
        yield [`${prefix}${person}`, `watcher${(person + contact) % watchers}`];
      }
    }
  }
}
