import type { Config } from '@rapport/contracts';
import { loadConfig } from '@rapport/service/config';

/** What a gateway reads from these variables; the key of the tokens is to be among them. */
export function gatewayConfig(variables: Record<string, string>): Config<'gateway'> {
  return loadConfig('gateway', { NATS_USER: 'gateway', NATS_PASSWORD: 'a password', ...variables });
}
