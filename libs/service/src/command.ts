import type { Config, ConfigReader } from '@rapport/contracts';
import { ConfigError, loadConfig } from './config.ts';

/** EX_CONFIG of sysexits.h: the configuration is wrong, so starting again would not help. */
export const EXIT_CONFIG = 78;
const EXIT_FAILURE = 1;

/** Prints the mistakes of a configuration, a line each, and sets the exit code that says so. */
export function reportMistakes(name: string, error: ConfigError): void {
  for (const mistake of error.mistakes) process.stderr.write(`${name}: ${mistake}\n`);
  process.exitCode = EXIT_CONFIG;
}

/** Runs a step that ends by itself (a migration, a replay); one line says why when it fails. */
export async function runCommand<R extends ConfigReader>(
  name: string,
  reader: R,
  work: (config: Config<R>) => Promise<void>,
): Promise<void> {
  try {
    await work(loadConfig(reader));
  } catch (error) {
    if (error instanceof ConfigError) {
      reportMistakes(name, error);
      return;
    }
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT_FAILURE;
  }
}
