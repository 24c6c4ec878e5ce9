import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';

/** Where a result was measured. */
export function describeMachine() {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    arch: arch(),
    node: process.version,
  };
}

/** Waiting and running processes over the last minute: on a machine of one's own, below the number of its CPUs. */
export function load(): number {
  return loadavg()[0] ?? 0;
}

/** How much CPU time the hypervisor gave to somebody else since the machine started, in seconds. */
export function stolenSeconds(): number {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/);
  return Number(fields[7]) / 100;
}
