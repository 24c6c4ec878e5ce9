import { createDecipheriv, createECDH, hkdfSync, randomBytes, type ECDH } from 'node:crypto';
import { createServer } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { generate } from 'selfsigned';
import webPush from 'web-push';
import { atEnd } from '../../libs/service/test/kit.ts';

/** A push as its browser reads it. */
interface Push {
  readonly endpoint: string;
  readonly headers: IncomingHttpHeaders;
  readonly payload: Record<string, unknown>;
}

export interface PushService {
  /** The certificate that it is to be trusted by. */
  readonly certificate: string;
  readonly pushes: readonly Push[];
  /** How many requests came, answered well or not. */
  readonly tried: number;
  /** What a browser gives out when it subscribes. */
  subscribe(): { endpoint: string; keys: { p256dh: string; auth: string } };
  /** What the next requests to an endpoint are answered with. */
  answer(endpoint: string, ...statuses: number[]): void;
  /** From now on requests to an endpoint are taken and not answered, until what this returns is called. */
  hold(endpoint: string): () => void;
}

/** What a service with web push is configured with. */
export function webPushEnvironment(): Record<`VAPID_${string}` | 'PUSH_TO_LOOPBACK', string> {
  const { publicKey, privateKey } = webPush.generateVAPIDKeys();
  return {
    VAPID_PUBLIC_KEY: publicKey,
    VAPID_PRIVATE_KEY: privateKey,
    VAPID_SUBJECT: 'mailto:ops@example.org',
    PUSH_TO_LOOPBACK: 'yes',
  };
}

interface BrowserKeys {
  readonly ecdh: ECDH;
  readonly secret: Buffer;
}

/** A real push service on this machine, with the browsers behind it: it decrypts what it gets. */
export async function pushService(): Promise<PushService> {
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  const browsers = new Map<string, BrowserKeys>();
  const statuses = new Map<string, number[]>();
  const held = new Map<string, Promise<void>>();
  const pushes: Push[] = [];
  let tried = 0;

  const server = createServer({ key: pems.private, cert: pems.cert }, (request, response) => {
    void buffer(request).then(async body => {
      tried += 1;
      const endpoint = endpointOf(request.url ?? '');
      const browser = browsers.get(endpoint);
      const status = browser ? (statuses.get(endpoint)?.shift() ?? 201) : 404;
      if (browser && status === 201) {
        const payload = JSON.parse(decrypt(body, browser).toString()) as Record<string, unknown>;
        pushes.push({ endpoint, headers: request.headers, payload });
      }
      await held.get(endpoint);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const endpointOf = (path: string): string => `https://localhost:${port}${path}`;

  return {
    certificate: pems.cert,
    pushes,
    get tried() {
      return tried;
    },
    subscribe() {
      const ecdh = createECDH('prime256v1');
      const secret = randomBytes(16);
      const endpoint = endpointOf(`/push/${randomBytes(16).toString('base64url')}`);
      browsers.set(endpoint, { ecdh, secret });
      return {
        endpoint,
        keys: { p256dh: ecdh.generateKeys().toString('base64url'), auth: secret.toString('base64url') },
      };
    },
    answer: (endpoint, ...given) => void statuses.set(endpoint, given),
    hold(endpoint) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(endpoint, promise);
      return resolve;
    },
  };
}

/** RFC 8188 (aes128gcm, one record) with the keys of RFC 8291, written here a second time. */
function decrypt(body: Buffer, { ecdh, secret }: BrowserKeys): Buffer {
  const salt = body.subarray(0, 16);
  const sender = body.subarray(21, 21 + body.readUInt8(20));
  const record = body.subarray(21 + sender.length);
  const derive = (key: Buffer, saltOf: Buffer, info: Buffer, length: number): Buffer =>
    Buffer.from(hkdfSync('sha256', key, saltOf, info, length));
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), ecdh.getPublicKey(), sender]);
  const key = derive(ecdh.computeSecret(sender), secret, info, 32);
  const decipher = createDecipheriv(
    'aes-128-gcm',
    derive(key, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16),
    derive(key, salt, Buffer.from('Content-Encoding: nonce\0'), 12),
  );
  decipher.setAuthTag(record.subarray(-16));
  const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
  return padded.subarray(0, padded.lastIndexOf(2));
}
