/**
 * Measures every variant `runs` times, in turns and every second round backwards: what the machine does
 * besides hits all of them alike.
 */
export async function alternate<Name extends string, Result>(
  runs: number,
  variants: Readonly<Record<Name, () => Promise<Result>>>,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(variants) as Name[];
  const results = Object.fromEntries(names.map(name => [name, [] as Result[]])) as Record<Name, Result[]>;
  for (let run = 0; run < runs; run += 1) {
    for (const name of run % 2 === 0 ? names : names.toReversed()) results[name].push(await variants[name]());
  }
  return results;
}
