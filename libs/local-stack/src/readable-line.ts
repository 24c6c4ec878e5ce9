import { styleText } from 'node:util';

/** Said by the prefix already, or of no use to a person at a terminal. */
const LEFT_OUT = new Set(['level', 'time', 'process', 'pid', 'msg', 'trace', 'err']);

const LEVEL_COLOURS: Readonly<Record<string, 'red' | 'yellow' | 'dim'>> = {
  fatal: 'red',
  error: 'red',
  warn: 'yellow',
  debug: 'dim',
  trace: 'dim',
};

/** A log line of our processes, which is JSON, as a person reads it; any other line as it is. */
export function readableLine(line: string): string {
  const entry = parse(line);
  if (entry === undefined) return line;
  const { level, msg, err } = entry;
  const fields = Object.entries(entry)
    .filter(([name]) => !LEFT_OUT.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const text = [level === 'info' ? '' : `${level}:`, msg, ...fields].filter(Boolean).join(' ');
  const colour = LEVEL_COLOURS[level];
  return [colour === undefined ? text : styleText(colour, text), ...describe(err)].join('\n');
}

interface Entry extends Record<string, unknown> {
  level: string;
  msg?: string;
  err?: unknown;
}

function parse(line: string): Entry | undefined {
  if (!line.startsWith('{"level":')) return undefined;
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return undefined;
  }
}

function describe(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { message, stack, cause } = error as { message?: unknown; stack?: unknown; cause?: unknown };
  return [...String(stack ?? message).split('\n'), ...describe(cause).map(line => `  ${line}`)];
}
