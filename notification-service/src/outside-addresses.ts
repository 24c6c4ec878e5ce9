import { lookup as lookupAll, type LookupAddress } from 'node:dns';
import { Agent, type AgentOptions } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

// Browsers choose where pushes go, so an attacker could name an address inside the network of the platform and have
// the service knock there. Only addresses of the public internet are connected to, whatever a name resolves to.

/** @returns what is wrong with the URL, if anything can be seen before its name is resolved */
export function addressMistake(endpoint: string, allowLoopback: boolean): string | undefined {
  const url = URL.parse(endpoint);
  if (url?.protocol !== 'https:') return 'must be an https URL';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isLiteral = isIP(host) !== 0;
  if (isLiteral ? isOutside(host, allowLoopback) : isPublicName(host) || (allowLoopback && host === 'localhost')) {
    return undefined;
  }
  return 'must be an address on the public internet';
}

/** Whether an IP address is one of the public internet. */
export function isOutside(address: string, allowLoopback: boolean): boolean {
  // `process` sees the IPv4 address in `::ffff:10.0.0.1`.
  const range = ipaddr.process(address).range();
  return range === 'unicast' || (allowLoopback && range === 'loopback');
}

/** A name with a dot, and none of those that never leave a network (RFC 6761, RFC 8375, RFC 9476). */
function isPublicName(host: string): boolean {
  return (
    /\.[a-z][a-z0-9-]*\.?$/i.test(host) &&
    !/\.(localhost|local|internal|home\.arpa|invalid|test|alt|onion)\.?$/i.test(host)
  );
}

/** Connects to the public internet alone: what is checked is the address that the connection is made to. */
export function createOutsideAgent(allowLoopback: boolean, options: AgentOptions = {}): Agent {
  const lookup: LookupFunction = (hostname, lookupOptions, done) => {
    lookupAll(hostname, { ...lookupOptions, all: true }, (error, found) => {
      const [first] = error ? [] : found.filter(({ address }) => isOutside(address, allowLoopback));
      if (error || !first) {
        done(error ?? new InsideAddressError(), []);
        return;
      }
      if (lookupOptions.all)
        done(
          null,
          found.filter(({ address }) => isOutside(address, allowLoopback)),
        );
      else
        (done as (error: null, address: LookupAddress['address'], family: number) => void)(
          null,
          first.address,
          first.family,
        );
    });
  };
  const agent = new Agent({ keepAlive: true, ...options, lookup });
  const connect = agent.createConnection.bind(agent);
  // A literal address is not looked up.
  agent.createConnection = (connectOptions, callback) => {
    const host = (('host' in connectOptions && connectOptions.host) || '').replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isOutside(host, allowLoopback)) throw new InsideAddressError();
    return connect(connectOptions, callback);
  };
  return agent;
}

class InsideAddressError extends Error {
  override readonly name = 'InsideAddressError';
  readonly code = 'EINSIDE';
  constructor() {
    super('the address is not on the public internet');
  }
}
