import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: on every Linux that Node runs on, a hundredth of a second. */
const TICKS_PER_SECOND = 100;

/** User and system time of all threads of a process since its start, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid) ?? [];
  return (Number(fields[USER]) + Number(fields[SYSTEM])) / TICKS_PER_SECOND;
}

/**
 * … and of the processes that it started, those that have ended included: PostgreSQL has one for each connection.
 */
export function familyCpuSeconds(pid: number): number {
  let ticks = 0;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = statOf(Number(entry));
    if (!fields || (Number(entry) !== pid && Number(fields[PARENT]) !== pid)) continue;
    ticks += Number(fields[USER]) + Number(fields[SYSTEM]);
    if (Number(entry) === pid) ticks += Number(fields[ENDED_USER]) + Number(fields[ENDED_SYSTEM]);
  }
  return ticks / TICKS_PER_SECOND;
}

// Places in /proc/<pid>/stat after the name.
const [PARENT, USER, SYSTEM, ENDED_USER, ENDED_SYSTEM] = [1, 11, 12, 13, 14] as const;

function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in parentheses, may hold anything: fields are counted from its end.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    // It has ended.
    return undefined;
  }
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}

/** How many files a process may open that is started from here. Node raises the soft limit to the hard one itself. */
export function openFilesLimit(): number {
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Number(hard);
}
