import { once } from 'node:events';
import { WebSocket } from 'ws';
import { atEnd } from '../../libs/service/test/kit.ts';
import { tokenFor, type GatewayProcess } from './gateway-process.ts';

// A WebSocket that is no Socket.IO client: what it sends, and whether it reads, is up to the test.

export interface RawSocket {
  readonly socket: WebSocket;
  /** Everything that has arrived. */
  readonly frames: readonly string[];
  /** Resolves to the first frame, earlier ones included, that begins so. Rejects when the connection ends first. */
  frame(beginning: string): Promise<string>;
  /** Resolves to the close code. */
  readonly closed: Promise<number>;
}

type Where = Pick<GatewayProcess, 'url'>;

/** A connection that has not authenticated. */
export async function rawSocket({ url }: Where, query = 'EIO=4&transport=websocket'): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?${query}`);
  atEnd(() => socket.terminate());
  socket.on('error', () => undefined);
  const frames: string[] = [];
  socket.on('message', data => frames.push((data as Buffer).toString()));
  const closed = new Promise<number>(resolve => socket.once('close', resolve));
  await once(socket, 'open');
  return {
    socket,
    frames,
    closed,
    frame: beginning =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = frames.find(text => text.startsWith(beginning));
          if (found !== undefined) resolve(found);
        };
        socket.on('message', look);
        look();
        void closed.then(code => reject(new Error(`closed (${code}) without ${beginning}: ${frames.join(' ')}`)));
      }),
  };
}

/** … and one that has, as that user. */
export async function rawConnected(where: Where, userId: string, token = tokenFor(userId)): Promise<RawSocket> {
  const raw = await rawSocket(where);
  raw.socket.send(`40${JSON.stringify({ token })}`);
  await raw.frame('42["session:ready"');
  return raw;
}
