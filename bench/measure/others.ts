import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** USER_HZ: on every Linux that Node runs on, a hundredth of a second. */
const TICKS_PER_SECOND = 100;

/** Begins to watch. @returns what returns the share of all CPUs, in percent, that processes of somebody else took since */
export function watchOthers(): () => number {
  const [start, busy, own] = [performance.now(), busyTicks(), ownTicks()];
  return () => {
    const ticks = busyTicks() - busy - (ownTicks() - own);
    const all = ((performance.now() - start) / 1_000) * cpus().length * TICKS_PER_SECOND;
    return Math.max(0, (ticks / all) * 100);
  };
}

/** What all CPUs did but idle and wait for a disk; what the hypervisor gave away counts as somebody's. */
function busyTicks(): number {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/);
  const [user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0, stolen = 0] = fields.map(Number);
  return user + nice + system + interrupt + softInterrupt + stolen;
}

/** Of this process, of all that descend from it, and of those of them that have ended. */
function ownTicks(): number {
  const processes = readdirSync('/proc').flatMap(pid => (/^\d+$/.test(pid) ? (readProcess(pid) ?? []) : []));
  const children = Map.groupBy(processes, ({ parent }) => parent);
  const sum = (pid: number): number =>
    (children.get(pid) ?? []).reduce((ticks, child) => ticks + child.ticks + sum(child.pid), 0);
  return sum(process.pid) + (processes.find(({ pid }) => pid === process.pid)?.ticks ?? 0);
}

function readProcess(pid: string): { pid: number; parent: number; ticks: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in parentheses, may hold anything: fields are counted from its end.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, ofUser = 0, ofSystem = 0] = fields.slice(11, 15);
    return { pid: Number(pid), parent: fields[1] ?? 0, ticks: user + system + ofUser + ofSystem };
  } catch {
    return undefined;
  }
}
