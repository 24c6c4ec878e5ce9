import { spawnSync } from 'node:child_process';
import { configRows, SERVICES } from '@rapport/contracts';
import { sourceOf } from './paths.ts';
import { inherited } from './process-environment.ts';
import { readStepEnvironments, type StepEnvironments } from './step-environments.ts';

// `npm run provision`, `npm run migrate` and `npm run replay -- --since …`: the deployment step, for every service;
// `npm run rotate-content-keys`, for those that keep what people wrote.
// `npm run deliveries -- list` and `-- retry …`: the dead letters of the notification service.
// With NATS_URL or DATABASE_URL set the environment is used as it is, otherwise that of the running local stack.

const EXIT_USAGE = 64;

const environments: StepEnvironments =
  inherited['NATS_URL'] || inherited['DATABASE_URL']
    ? {}
    : readStepEnvironments(inherited['DATA_DIR'] || configRows.DATA_DIR.default);

function run(program: string, args: readonly string[], environment: Record<string, string> | undefined): void {
  const { status } = spawnSync(process.execPath, [program, ...args], {
    stdio: 'inherit',
    env: { ...inherited, ...environment },
  });
  if (status !== 0) process.exit(status ?? 1);
}

const [step, ...args] = process.argv.slice(2);
switch (step) {
  case 'provision':
    run(sourceOf('libs/service', 'provision'), args, environments.provisioner);
    break;
  case 'migrate':
  case 'replay':
    for (const service of SERVICES) run(sourceOf(service, step), args, environments[service]);
    break;
  case 'rotate':
    run(sourceOf('messaging-service', step), args, environments['messaging-service']);
    break;
  case 'deliveries':
    run(sourceOf('notification-service', step), args, environments['notification-service']);
    break;
  default:
    process.stderr.write('step: the step must be one of provision, migrate, replay, rotate, deliveries\n');
    process.exit(EXIT_USAGE);
}
