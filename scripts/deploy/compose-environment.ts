import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { configRows, PROCESSES, type ConfigReader, type ConfigRow } from '@rapport/contracts';
import { ConfigError, loadConfig } from '../../libs/service/src/config.ts';
import type { ComposeFile, ComposeService } from './compose-file.ts';

/**
 * Checks the environment of every service of ours as the service itself would, with secrets freshly made by
 * deploy/make-secrets.sh in `secretsFolder`.
 */
export function environmentMistakes(compose: ComposeFile, root: string, secretsFolder: string): string[] {
  execFileSync(join(root, 'deploy/make-secrets.sh'), [secretsFolder], { stdio: ['ignore', 'ignore', 'inherit'] });
  const missing = Object.entries(compose.secrets)
    .filter(([, { file }]) => !existsSync(join(secretsFolder, basename(file))))
    .map(([secret]) => `deploy/make-secrets.sh does not make the secret ${secret}`);
  const absent = PROCESSES.filter(process => compose.services[process]?.['x-config-reader'] !== process).map(
    process => `there is no service ${process} with x-config-reader: ${process}`,
  );
  const perService = Object.entries(compose.services)
    .filter(([, service]) => service.build)
    .flatMap(([name, service]) =>
      serviceMistakes(service, compose, secretsFolder).map(mistake => `${name}: ${mistake}`),
    );
  return [...missing, ...absent, ...perService];
}

function serviceMistakes(service: ComposeService, compose: ComposeFile, secretsFolder: string): string[] {
  const reader = service['x-config-reader'];
  if (!isReader(reader)) return [`x-config-reader is ${reader ?? 'not given'}; it must name who reads its variables`];
  const mistakes: string[] = [];
  const environment: Record<string, string> = {};
  for (const [variable, value] of Object.entries(service.environment)) {
    const row = rowOf(variable);
    if (!row?.readBy.includes(reader)) mistakes.push(`${variable} is not a variable that ${reader} reads`);
    if (!variable.endsWith('_FILE')) {
      if (row?.secret) mistakes.push(`${variable} is a secret: give ${variable}_FILE`);
      environment[variable] = value;
      continue;
    }
    const secret = service.secrets.find(({ target }) => target === value);
    const file = secret && compose.secrets[secret.source]?.file;
    if (file) environment[variable] = join(secretsFolder, basename(file));
    else mistakes.push(`${variable} names ${value}, where no secret is mounted`);
  }
  try {
    loadConfig(reader, environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    mistakes.push(...error.mistakes);
  }
  return mistakes;
}

function isReader(reader: string | undefined): reader is ConfigReader {
  return Object.values<ConfigRow>(configRows).some(({ readBy }) =>
    (readBy as readonly string[]).includes(reader ?? ''),
  );
}

/** The row of `NAME`, and for a secret of `NAME_FILE` too. */
function rowOf(variable: string): ConfigRow | undefined {
  const rows: Record<string, ConfigRow> = configRows;
  const held = rows[variable.replace(/_FILE$/, '')];
  return rows[variable] ?? (held?.secret ? held : undefined);
}
