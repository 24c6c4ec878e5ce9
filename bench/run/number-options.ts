import { parseArgs } from 'node:util';

/** Each option with its default, the most it may be, and what it means. */
export type NumberOptions = Readonly<Record<string, readonly [usual: number, most: number, meaning: string]>>;

export interface Given<Part extends string, Name extends string> {
  readonly parts: readonly Part[];
  readonly number: (name: Name) => number;
}

/**
 * Reads `[part …] [--option number …]`; without a part, all of them.
 * @throws RangeError, TypeError with a sentence for a person
 */
export function readNumbers<Part extends string, Numbers extends NumberOptions>(
  args: readonly string[],
  known: readonly Part[],
  numbers: Numbers,
): Given<Part, keyof Numbers & string> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: Object.fromEntries(Object.keys(numbers).map(name => [name, { type: 'string' as const }])),
  });
  const isPart = (text: string): text is Part => (known as readonly string[]).includes(text);
  const unknown = positionals.filter(part => !isPart(part));
  if (unknown.length > 0) throw new RangeError(`${unknown.join(', ')}: the parts are ${known.join(', ')}`);
  return {
    parts: positionals.length > 0 ? positionals.filter(isPart) : known,
    number(name) {
      const [usual, most] = numbers[name] ?? [Number.NaN, 0];
      const value = Number(values[name] ?? usual);
      if (Number.isInteger(value) && value >= 0 && value <= most) return value;
      throw new RangeError(`--${name} must be a whole number from 0 to ${most}`);
    },
  };
}

export function usageOf(command: string, parts: readonly string[], numbers: NumberOptions): string {
  const lines = Object.entries(numbers).map(
    ([name, [usual, most, meaning]]) => `  --${name.padEnd(22)} ${meaning} (${usual}, at most ${most})`,
  );
  return [`${command} -- [${parts.join('|')} …] [--option number …]`, ...lines].join('\n');
}
