import { readFileSync } from 'node:fs';
import {
  alternatives,
  configRows,
  type Config,
  type ConfigName,
  type ConfigReader,
  type ConfigRow,
} from '@rapport/contracts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every mistake of the configuration, one line each: which variable, what was wrong, what would be right. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'));
    this.mistakes = mistakes;
  }
}

/**
 * Reads and checks the variables whose row in the contracts names the reader. The only place where the
 * environment is read. A secret, or another row that says so, may be given as `NAME_FILE`, the path of a file that holds it.
 * @throws ConfigError with all mistakes at once
 */
export function loadConfig<R extends ConfigReader>(reader: R, environment: Environment = process.env): Config<R> {
  const mistakes: string[] = [];
  const values: Partial<Record<ConfigName, unknown>> = {};
  for (const [name, row] of Object.entries(configRows) as [ConfigName, ConfigRow][]) {
    if (!row.readBy.includes(reader)) continue;
    const given = readVariable(name, row, environment);
    if ('mistake' in given) {
      mistakes.push(given.mistake);
      continue;
    }
    const text = given.text ?? row.default;
    if (text === undefined && row.optional) continue;
    if (text === undefined) {
      mistakes.push(`${name} is not set; it ${ruleOf(row.schema.safeParse('').error?.issues[0])}. ${row.summary}`);
      continue;
    }
    const result = row.schema.safeParse(text);
    if (result.success) values[name] = result.data;
    else
      // What is read from a file too may be a key, and the wrong one.
      mistakes.push(
        `${name}${row.secret || row.file ? '' : ` is "${text}", and`} ${ruleOf(result.error.issues[0])}. ${row.summary}`,
      );
  }
  if (mistakes.length === 0) mistakes.push(...alternativeMistakes(reader, values));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return values as Config<R>;
}

function alternativeMistakes(reader: ConfigReader, values: Partial<Record<ConfigName, unknown>>): string[] {
  return alternatives
    .filter(({ readBy }) => readBy === reader)
    .flatMap(({ names, summary }) => {
      const set = names.filter(name => values[name] !== undefined);
      if (set.length === 1) return [];
      const wrong = set.length === 0 ? 'none of them is set' : `${set.join(' and ')} are set`;
      return [`${names.join(', ')}: ${wrong}; exactly one must be. ${summary}`];
    });
}

type Given = { text: string | undefined } | { mistake: string };

/** An empty variable counts as one that is not set: that is how compose files leave one out. */
function readVariable(name: ConfigName, row: ConfigRow, environment: Environment): Given {
  const text = environment[name] || undefined;
  const file = row.secret || row.file ? environment[`${name}_FILE`] || undefined : undefined;
  if (file === undefined) return { text };
  if (text !== undefined) return { mistake: `${name} and ${name}_FILE are both set; one of them would be right.` };
  try {
    return { text: readFileSync(file, 'utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    return { mistake: `${name}_FILE is "${file}", which cannot be read (${reason}); it must name a readable file.` };
  }
}

function ruleOf(issue: { code?: string; message: string; values?: unknown } | undefined): string {
  if (issue?.code === 'invalid_value' && Array.isArray(issue.values))
    return `must be one of ${issue.values.join(', ')}`;
  return issue?.message ?? 'is not valid';
}
