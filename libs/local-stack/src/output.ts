import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';
import { readableLine } from './readable-line.ts';

/** Where the stack says what happens: its own lines, and those of the programs it runs. */
export interface Output {
  /** A line of the stack itself. */
  note(text: string): void;
  /** A line that the program `name` printed. */
  line(name: string, text: string): void;
}

export const SILENT: Output = { note: () => {}, line: () => {} };

const COLOURS = ['cyan', 'magenta', 'green', 'yellow', 'blue', 'cyanBright', 'magentaBright', 'greenBright'] as const;

/** Prints to standard output, each program with its name in front and in a colour of its own (on a terminal only). */
export function terminalOutput(): Output {
  const seen: string[] = [];
  const width = () => Math.max(...seen.map(name => name.length));
  const print = (name: string, text: string) => {
    if (!seen.includes(name)) seen.push(name);
    const colour = COLOURS[seen.indexOf(name) % COLOURS.length] ?? 'cyan';
    const prefix = styleText(colour, `${name.padEnd(width())} │`);
    process.stdout.write(text.replaceAll(/^/gm, `${prefix} `).concat('\n'));
  };
  return { line: (name, text) => print(name, readableLine(text)), note: text => print('rapport', text) };
}

/** Calls `onLine` with every line of a stream, until it ends. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', onLine);
}
