import { median, spread } from './statistics.ts';

/** What the product took and what a baseline took, over the runs. */
export interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly product: readonly number[];
  readonly baseline: readonly number[];
  readonly baselineName: string;
  /** How many times the baseline the product may take, or for a rate must reach. */
  readonly bar?: { readonly atMost: number } | { readonly atLeast: number };
}

/** Something that must be seen to have happened. */
export interface Observation {
  readonly what: string;
  readonly seen: string;
  readonly holds: boolean;
}

export interface Findings {
  readonly comparisons: readonly Comparison[];
  readonly observations?: readonly Observation[];
  readonly costs?: readonly Cost[];
}

/** What a message costs which process, over the runs. */
export interface Cost {
  readonly what: string;
  /** Microseconds of CPU. */
  readonly microseconds: Readonly<Record<string, readonly number[]>>;
}

function ratioOf({ product, baseline }: Comparison): number {
  return median(product) / median(baseline);
}

function meetsBar(comparison: Comparison): boolean {
  const { bar } = comparison;
  if (!bar) return true;
  const ratio = ratioOf(comparison);
  return 'atMost' in bar ? ratio <= bar.atMost : ratio >= bar.atLeast;
}

/** All tables, in Markdown. */
export function describe({ comparisons, observations = [], costs = [] }: Findings): string {
  const rows = comparisons.map(comparison => {
    const { what, unit, product, baseline, baselineName } = comparison;
    const values = (list: readonly number[]): string => `${short(median(list))} ${unit} ±${percent(spread(list) / 2)}`;
    const cells = [what, values(product), baselineName, values(baseline), ratioOf(comparison).toFixed(2)];
    return line([...cells, barOf(comparison)]);
  });
  const observed = observations.map(({ what, seen, holds }) => line([what, seen, holds ? 'yes' : '**no**']));
  return [
    ...table(['what', 'product', 'baseline', 'it took', 'ratio', 'bar'], rows),
    ...(observed.length > 0 ? ['', ...table(['what', 'seen', 'as it must be'], observed)] : []),
    ...(costs.length > 0 ? ['', ...describeCosts(costs)] : []),
  ].join('\n');
}

function describeCosts(costs: readonly Cost[]): string[] {
  const names = [...new Set(costs.flatMap(({ microseconds }) => Object.keys(microseconds)))];
  const rows = costs.map(({ what, microseconds }) => {
    const values = names.map(name => median(microseconds[name] ?? [0]));
    return line([what, ...[...values, values.reduce((sum, value) => sum + value, 0)].map(value => value.toFixed(1))]);
  });
  return table(['CPU per message, µs', ...names, 'together'], rows);
}

function barOf(comparison: Comparison): string {
  const { bar } = comparison;
  if (!bar) return '';
  const text = 'atMost' in bar ? `≤ ${bar.atMost}` : `≥ ${bar.atLeast}`;
  return meetsBar(comparison) ? `${text}: met` : `${text}: **missed**`;
}

function table(headings: readonly string[], rows: readonly string[]): string[] {
  return [line(headings), line(headings.map(() => '---')), ...rows];
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const short = (value: number): string => String(Number(value.toPrecision(3)));
const percent = (share: number): string => `${Math.round(share * 100)} %`;
