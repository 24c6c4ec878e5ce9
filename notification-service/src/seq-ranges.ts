/** Numbers as a `int4multirange` that PostgreSQL reads: `{[1,4),[7,8)}`. */
export function seqRanges(seqs: readonly number[]): string {
  const ranges: { from: number; until: number }[] = [];
  for (const seq of seqs.toSorted((one, other) => one - other)) {
    const last = ranges.at(-1);
    if (last && seq <= last.until) last.until = seq + 1;
    else ranges.push({ from: seq, until: seq + 1 });
  }
  return `{${ranges.map(({ from, until }) => `[${from},${until})`).join(',')}}`;
}
