import { configRows, type ConfigName, type ConfigRow, type ProcessName } from '@rapport/contracts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What this process was started with: for finding programs and for what it starts, never for its own configuration. */
// oxlint-disable-next-line node/no-process-env -- loadConfig reads the configuration; this is passed on as it is
export const inherited: Environment = process.env;

/** What any program may need to run at all; everything else is in the contracts' rows. */
const PLAIN = /^(PATH|HOME|TMPDIR|TZ|LANG|SSL_CERT_FILE|SSL_CERT_DIR|NODE_.*)$/;

interface Layers {
  /** What the stack decides. */
  readonly fixed: Partial<Record<ConfigName, string>>;
  /** What the caller wants; where the stack does not decide, it is passed on. */
  readonly outer: Environment;
  /** What holds in the local stack when nobody says otherwise. */
  readonly defaults: Partial<Record<ConfigName, string>>;
}

/** The environment of a process: the variables that its rows in the contracts name, and no others. */
export function environmentOf(process: ProcessName, { fixed, outer, defaults }: Layers): Record<string, string> {
  const environment: Record<string, string> = {};
  const set = (name: string, value: string | undefined): boolean => {
    // An empty variable counts as one that is not set.
    if (!value) return false;
    environment[name] = value;
    return true;
  };
  for (const [name, value] of Object.entries(inherited)) {
    if (PLAIN.test(name)) set(name, value);
  }
  for (const [name, row] of Object.entries(configRows) as [ConfigName, ConfigRow][]) {
    if (!row.readBy.includes(process)) continue;
    if (set(name, fixed[name]) || set(name, outer[name])) continue;
    if (row.secret && set(`${name}_FILE`, outer[`${name}_FILE`])) continue;
    set(name, defaults[name]);
  }
  return environment;
}
