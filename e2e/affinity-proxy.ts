import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { atEnd } from '../libs/service/test/kit.ts';

/** A balancer with affinity, as operations puts one in front: whoever has a cookie of it goes where they were. */
export async function affinityProxy(gateways: readonly string[]): Promise<{ url: string; served: readonly number[] }> {
  const served = gateways.map(() => 0);
  let turn = 0;
  const choose = ({ headers }: IncomingMessage): number => {
    const known = /gateway=(\d+)/.exec(headers.cookie ?? '')?.[1];
    const index = known === undefined ? (turn += 1) % gateways.length : Number(known);
    served[index]! += 1;
    return index;
  };
  const forward = (incoming: IncomingMessage, index: number) => {
    const { method, headers, url } = incoming;
    return request(new URL(url ?? '/', gateways[index]), { method, headers });
  };
  const server = createServer((incoming, outgoing) => {
    const index = choose(incoming);
    const upstream = forward(incoming, index);
    upstream.on('response', answer => {
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'set-cookie': `gateway=${index}; HttpOnly` });
      answer.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  server.on('upgrade', (incoming: IncomingMessage, client, head) => {
    const upstream = forward(incoming, choose(incoming));
    upstream.on('upgrade', (answer, gateway) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}`);
      client.write(['HTTP/1.1 101 Switching Protocols', ...lines, '', ''].join('\r\n'));
      gateway.write(head);
      gateway.pipe(client).pipe(gateway);
      for (const [one, other] of [[gateway, client] as const, [client, gateway] as const]) {
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      }
    });
    upstream.on('response', () => client.destroy()).on('error', () => client.destroy());
    upstream.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, served };
}
