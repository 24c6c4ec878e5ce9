import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { findPostgresFolder } from '../src/postgres-folder.ts';
import { SHARED_FOLDER } from '../src/postgres-programs.ts';
import { canReach } from '../src/system-user.ts';
import { afterwards, recordedOutput, temporaryFolder } from './kit.ts';

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? describe : describe.skip;
const asOrdinaryUser = isRoot ? describe.skip : describe;

/** A data folder below a folder that only root may enter. */
function closedDataFolder(): string {
  const closed = temporaryFolder();
  chmodSync(closed, 0o700);
  const dataDir = join(closed, 'data');
  mkdirSync(dataDir);
  return dataDir;
}

function find(dataDir: string): { folder: string; lines: string[] } {
  const output = recordedOutput();
  const { folder, runAs } = findPostgresFolder(dataDir, output);
  if (runAs && !canReach(runAs, { write: [folder] })) throw new Error(`${runAs.name} cannot reach ${folder}`);
  if (folder.startsWith(SHARED_FOLDER)) {
    afterwards(() => rmSync(folder, { recursive: true, force: true }));
    afterwards(() => rmSync(`${folder}.belongs-to`, { force: true }));
  }
  return { folder, lines: output.lines };
}

asOrdinaryUser('as an ordinary user', () => {
  test('the data in the data folder, and PostgreSQL runs as that user', () => {
    const dataDir = temporaryFolder();

    expect(findPostgresFolder(dataDir, recordedOutput())).toEqual({
      folder: join(dataDir, 'postgres'),
      runAs: undefined,
    });
  });
});

asRoot('as root', () => {
  test('the data is in the data folder where the user of PostgreSQL can reach it', () => {
    const dataDir = temporaryFolder();

    expect(find(dataDir)).toEqual({ folder: join(dataDir, 'postgres'), lines: [] });
    expect(statSync(join(dataDir, 'postgres')).mode & 0o777).toBe(0o700);
  });

  test('a data folder that lists nothing to others lets them through', () => {
    const dataDir = temporaryFolder();
    chmodSync(dataDir, 0o700);

    expect(find(dataDir)).toEqual({ folder: join(dataDir, 'postgres'), lines: [] });
    expect(statSync(dataDir).mode & 0o777).toBe(0o701);
  });

  test('below a closed folder the data is kept elsewhere, a line says where, and the next start finds it', () => {
    const dataDir = closedDataFolder();

    const { folder, lines } = find(dataDir);

    expect(folder.startsWith(`${SHARED_FOLDER}/data-`)).toBe(true);
    expect(lines).toEqual([expect.stringContaining(`PostgreSQL keeps its data in ${folder}`)]);
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
    expect(find(dataDir)).toEqual({ folder, lines: [] });
  });

  test('a data folder that was moved keeps its data, and one that was copied begins anew', () => {
    const dataDir = closedDataFolder();
    const { folder } = find(dataDir);

    const moved = `${dataDir}-moved`;
    renameSync(dataDir, moved);
    expect(find(moved).folder).toBe(folder);

    const copied = `${dataDir}-copied`;
    cpSync(moved, copied, { recursive: true });
    expect(find(copied).folder).not.toBe(folder);
    expect(find(moved).folder).toBe(folder);
  });
});
