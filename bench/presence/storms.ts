import { setTimeout as sleep } from 'node:timers/promises';
import type { Findings, Observation } from '../measure/comparison.ts';
import type { Options } from './options.ts';
import { startPeople, type People } from './people.ts';
import { startProduct, type Ground, type Product } from './servers.ts';

/** Of production. */
const GRACE_SECONDS = 5;
const LEASE_SECONDS = 15;
/** What a report may take on a busy machine. */
const REPORT_SECONDS = 0.5;
/** What a sweep may be late. */
const SLACK_SECONDS = 2;
const POLL_MS = 50;

/** Everybody on one gateway is cut off at once, then their gateway is killed: nobody may be seen to go. */
export async function measureStorms(ground: Ground, { people: count, contacts }: Options): Promise<Findings> {
  const product = await startProduct(ground, circle(count, contacts));
  const people = await startPeople(ground.jwtSecret, true);
  try {
    const gathered = await people.gather(product.target, count, 'p');
    await people.forget();
    const cut = await people.cutAndReturn();
    const afterCut = await afterGrace(people, GRACE_SECONDS, count);
    const killed = await killGateway(people, product, count);
    const afterKill = await afterGrace(people, LEASE_SECONDS, count);
    return {
      comparisons: [],
      observations: [
        { what: `${count} people with ${contacts} contacts each arrive`, seen: seconds(gathered), holds: true },
        { what: 'cut off at the network, all are back and know who is there', seen: seconds(cut), holds: true },
        ...afterCut,
        { what: 'their gateway killed, all are back and know who is there', seen: seconds(killed), holds: true },
        ...afterKill,
        await goneWhenGone(people, product, count, contacts),
      ],
    };
  } finally {
    await people.stop();
    await product.stop();
  }
}

const seconds = (value: number): string => `${value.toFixed(1)} s`;

async function killGateway(people: People, { stack }: Product, count: number): Promise<number> {
  await people.forget();
  await people.stay();
  const start = performance.now();
  stack.programs.get('gateway')?.kill('SIGKILL');
  while ((await people.seen()).states < count) await sleep(POLL_MS);
  return (performance.now() - start) / 1_000;
}

/** A false farewell would come when the grace is over. Who is slower than the grace is rightly said to be gone. */
async function afterGrace(people: People, graceSeconds: number, count: number): Promise<Observation[]> {
  await sleep((graceSeconds + SLACK_SECONDS) * 1_000);
  // What takes a moment to be reported is not counted as back in time.
  const { backInTime, saidOffline } = await people.falseFarewells(graceSeconds - REPORT_SECONDS);
  return [
    { what: `… back within ${graceSeconds} s`, seen: `${backInTime} of ${count}`, holds: backInTime === count },
    { what: '… of those, told to somebody as gone', seen: String(saidOffline), holds: saidOffline === 0 },
  ];
}

/** The counter-proof: who really leaves is seen to go. */
async function goneWhenGone(people: People, product: Product, count: number, contacts: number): Promise<Observation> {
  const visitor = await startPeople(product.stack.jwtSecret, true);
  await people.forget();
  const expected = contacts;
  await visitor.gather(product.target, 1, 'visitor');
  await visitor.stop();
  while ((await people.seen()).offline < expected) await sleep(POLL_MS);
  const { offline } = await people.seen();
  return {
    what: `who really leaves is seen to go by ${expected} of ${count}`,
    seen: String(offline),
    holds: offline === expected,
  };
}

/** Half of them clients, half therapists, each linked to the `contacts` that come after it on the other side; and a visitor. */
function* circle(count: number, contacts: number): Generator<[string, string]> {
  const half = count / 2;
  for (let client = 0; client < half; client += 1) {
    for (let step = 0; step < contacts; step += 1) yield [`p${client}`, `p${half + ((client + step) % half)}`];
  }
  for (let step = 0; step < contacts; step += 1) yield ['visitor0', `p${half + step}`];
}
