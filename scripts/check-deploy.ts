import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentMistakes } from './deploy/compose-environment.ts';
import { danglingNames, readComposeFile, type ComposeFile } from './deploy/compose-file.ts';
import { checkImage } from './deploy/image-check.ts';

// No Docker is needed: the compose file is checked against its specification and the config rows, and each
// Dockerfile's steps are done in an empty folder, with only what its COPY lines bring.

const root = join(import.meta.dirname, '..');
const mistakes = await deployMistakes();
for (const mistake of mistakes) console.error(mistake);
if (mistakes.length > 0) process.exitCode = 1;

async function deployMistakes(): Promise<string[]> {
  let compose: ComposeFile;
  try {
    compose = readComposeFile(readFileSync(join(root, 'docker-compose.yml'), 'utf8'));
  } catch (error) {
    return [`docker-compose.yml: ${error instanceof Error ? error.message : String(error)}`];
  }
  const found = [...danglingNames(compose, root), ...withSecrets(folder => environmentMistakes(compose, root, folder))];
  console.log(`docker-compose.yml: ${found.length} mistakes`);

  const built = new Set(Object.values(compose.services).flatMap(({ build }) => build?.dockerfile ?? []));
  for (const file of globSync('{*,deploy}/{Dockerfile,*.Dockerfile}', { cwd: root })) {
    if (!built.has(file)) found.push(`docker-compose.yml does not use ${file}`);
  }
  for (const dockerfile of built) {
    const report = await checkImage(dockerfile, compose, root);
    found.push(...report.mistakes.map(mistake => `${dockerfile}: ${mistake}`));
    const leftOut = report.leftOut.map(line => `; left out: RUN ${line}`).join('');
    console.log(`${dockerfile}: ${report.mistakes.length} mistakes${leftOut}`);
  }
  return found;
}

function withSecrets<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'rapport-secrets-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
