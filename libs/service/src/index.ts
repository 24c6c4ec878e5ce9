export { runCommand } from './command.ts';
export type { Health } from './health.ts';
export type { Metrics } from './metrics.ts';
export { createLogger } from './logger.ts';
export { newId } from './new-id.ts';
export { listenOn } from './ops-server.ts';
export { runProcess, type ProcessContext } from './process.ts';
