import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@rapport/contracts';
import { writePrivate } from './secrets.ts';

/** The environment of each deployment step while a stack runs: of the provisioning, and of each service's own steps. */
export type StepEnvironments = Partial<Record<'provisioner' | ServiceName, Record<string, string>>>;

const fileIn = (dir: string): string => join(dir, 'run', 'environments.json');

export function writeStepEnvironments(dir: string, environments: StepEnvironments): void {
  writePrivate(fileIn(dir), JSON.stringify(environments));
}

export function removeStepEnvironments(dir: string): void {
  rmSync(fileIn(dir), { force: true });
}

/** Empty when no stack is running on the folder. */
export function readStepEnvironments(dir: string): StepEnvironments {
  try {
    return JSON.parse(readFileSync(fileIn(dir), 'utf8')) as StepEnvironments;
  } catch {
    return {};
  }
}
