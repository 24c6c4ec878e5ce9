export type { Health } from './health.ts';
export type { Metrics } from './metrics.ts';
export { listenOn } from './ops-server.ts';
export { runProcess, type ProcessContext } from './process.ts';
