import { join, resolve } from 'node:path';
import { BUS_USERS, inboxPrefix, SERVICES, type BusUser, type ProcessName } from '@rapport/contracts';
import type { BusCredentials } from './bus-access.ts';
import { removeLocalJson, writeLocalJson } from './local-json.ts';
import { lockFolder } from './lock.ts';
import { SILENT } from './output.ts';
import { LOOPBACK } from './ports.ts';
import { environmentOf } from './process-environment.ts';
import {
  endLeftoverProcesses,
  isService,
  migrate,
  opsUrl,
  planReplicas,
  PROCESS_STOP_MS,
  programOf,
  type Replica,
} from './processes.ts';
import { keepSecrets } from './secrets.ts';
import { startServers } from './servers.ts';
import type { StackError } from './stack-error.ts';
import type { Stack, StackOptions } from './stack-options.ts';
import { removeStepEnvironments, writeStepEnvironments } from './step-environments.ts';
import { readyOrStopped, supervise, type Supervised } from './supervise.ts';

/**
 * Starts NATS and PostgreSQL, makes streams, databases and schemas, then starts the services, then the
 * gateways, and waits until each of them is ready.
 * @throws StackError with lines for a person; then nothing is left running
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const dataDir = resolve(options.dataDir);
  const unlock = lockFolder(dataDir);
  const layers: Supervised[][] = [];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= stopLayers(layers, dataDir).finally(unlock));
  try {
    return { ...(await startLayers({ ...options, dataDir }, layers)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function stopLayers(layers: readonly Supervised[][], dataDir: string): Promise<void> {
  removeLocalJson(dataDir);
  removeStepEnvironments(dataDir);
  for (const layer of layers.toReversed()) await Promise.all(layer.map(program => program.stop()));
}

async function startLayers(options: StackOptions, layers: Supervised[][]): Promise<Omit<Stack, 'stop'>> {
  const { dataDir, env = {}, output = SILENT, signal } = options;
  const secrets = keepSecrets(dataDir);
  const jwtSecret = options.jwtSecret ?? secrets.jwt;
  removeLocalJson(dataDir);
  await endLeftoverProcesses(dataDir);
  const host = env['HOST'] || LOOPBACK;
  const replicas = await planReplicas(options.processes ?? {}, { port: options.ports?.gateway ?? 0, host });

  const gatewayUrls = replicas
    .filter(({ port }) => port !== undefined)
    .map(({ port }) => `http://${reachable(host)}:${port}`);

  const servers: Supervised[] = [];
  layers.push(servers);
  const { bus, postgres, databases } = await startServers(options, secrets, output, servers);
  const environment = (process: ProcessName, ports: Partial<Replica>): Record<string, string> =>
    environmentOf(process, {
      fixed: {
        ...environmentOfBus(bus[process]),
        OPS_HOST: LOOPBACK,
        OPS_PORT: String(ports.opsPort ?? 0),
        PORT: String(ports.port ?? 0),
        JWT_SECRET: jwtSecret,
        ...(isService(process) && { DATABASE_URL: databases[process] }),
      },
      outer: env,
      defaults: {
        HOST: host,
        PUBLIC_URL: gatewayUrls[0] ?? '',
        CONTACT_POLICY: 'open',
        CONTENT_KEYS: secrets.contentKeys,
        BODY_HASH_KEY: secrets.bodyHashKey,
        REVOCATIONS_PATH: join(dataDir, 'revocations.jsonl'),
        SHUTDOWN_TIMEOUT_MS: String(PROCESS_STOP_MS),
      },
    });
  writeStepEnvironments(dataDir, {
    provisioner: environmentOfBus(bus.provisioner),
    ...Object.fromEntries(SERVICES.map(service => [service, environment(service, {})])),
  });
  await Promise.all(SERVICES.map(service => migrate(service, environment(service, {}), output, signal)));

  const failed = Promise.withResolvers<StackError>();
  const startAll = async (layer: readonly Replica[]): Promise<void> => {
    const programs = layer.map(replica =>
      supervise(programOf(dataDir, replica, environment(replica.process, replica)), output, failed.resolve),
    );
    layers.push(programs);
    await Promise.all(programs.map(program => readyOrStopped(program, signal)));
  };
  await startAll(replicas.filter(({ process }) => isService(process)));
  await startAll(replicas.filter(({ process }) => !isService(process)));

  const stack = {
    dataDir,
    gateways: gatewayUrls,
    nats: Object.fromEntries(BUS_USERS.map(user => [user, bus[user].url])) as Record<BusUser, string>,
    postgres,
    databases,
    jwtSecret,
    metrics: Object.fromEntries(replicas.map(replica => [replica.name, `${opsUrl(replica)}/metrics`])),
    programs: new Map(layers.flat().map(program => [program.name, program])),
    failed: failed.promise,
  };
  writeLocalJson(dataDir, {
    gateway: stack.gateways[0] ?? '',
    natsBackOffice: stack.nats['back-office'],
    natsOps: stack.nats.ops,
    natsDeveloper: stack.nats.developer,
    natsInboxPrefix: inboxPrefix('back-office'),
    postgres,
    metrics: stack.metrics,
  });
  return stack;
}

function environmentOfBus({ server, user, password }: BusCredentials) {
  return { NATS_URL: server, NATS_USER: user, NATS_PASSWORD: password };
}

/** Who listens everywhere is reached on the loopback address. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return LOOPBACK;
  return host.includes(':') ? `[${host}]` : host;
}
