import { residentBytes } from './process-usage.ts';

const SAMPLE_EVERY_MS = 100;

/** Watches the resident memory of a process. @returns what stops that, and returns the highest in bytes */
export function watchMemory(pid: number): () => number {
  let peak = residentBytes(pid);
  const timer = setInterval(() => {
    peak = Math.max(peak, residentBytes(pid));
  }, SAMPLE_EVERY_MS);
  return () => {
    clearInterval(timer);
    return peak;
  };
}
