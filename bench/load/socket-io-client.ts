import { openWebSocket, type Target, type WebSocket } from './web-socket.ts';

// Socket.IO over Engine.IO 4, websocket only, by hand. `socket.io-client` costs more than the server that is measured.
// The first character is the Engine.IO packet (0 open, 2 ping, 3 pong, 4 message), the second the Socket.IO packet
// (0 connect, 2 event, 3 ack, 4 connect error).

interface Ack {
  readonly ok: boolean;
  readonly error?: { readonly code: string };
}

export interface Client {
  readonly webSocket: WebSocket;
  /** Resolves with the answer; never, when the connection ends first. */
  request(event: string, input: unknown): Promise<Ack>;
  close(): void;
}

interface Listeners {
  /** Everything after `42`: `["name",{…}]`. */
  readonly event?: (text: string) => void;
  /** The answer to a request that was not made with `request`, `[{…}]`, and the number that it was made with. */
  readonly answer?: (text: string, id: number) => void;
  /** The connection ended after it was established. */
  readonly close?: () => void;
}

/** Numbers that nobody who makes packets with `requestPacket` comes to. */
const FIRST_REQUEST = 1_000_000_000;

/** Rejects when the server refuses the connection or closes it before it is established. */
export function connectClient(target: Target, token: string, listeners: Listeners = {}): Promise<Client> {
  return new Promise((resolve, reject) => {
    const acks = new Map<number, (ack: Ack) => void>();
    let requests = FIRST_REQUEST;
    let connected = false;
    const webSocket = openWebSocket(target, {
      open: () => undefined,
      text: text => {
        if (text === '2') webSocket.sendText('3');
        else if (text.startsWith('42')) listeners.event?.(text.slice(2));
        else if (text.startsWith('43')) settle(acks, text, listeners.answer);
        else if (text.startsWith('0')) webSocket.sendText(`40${JSON.stringify({ token })}`);
        else if (text.startsWith('40')) {
          connected = true;
          resolve(client);
        } else if (text.startsWith('44')) {
          reject(new Error(`refused: ${text.slice(2)}`));
          webSocket.destroy();
        }
      },
      close: () => {
        if (connected) listeners.close?.();
        else reject(new Error('closed before it was connected'));
      },
    });
    const client: Client = {
      webSocket,
      request: (event, input) =>
        new Promise(answer => {
          const id = (requests += 1);
          acks.set(id, answer);
          webSocket.sendText(requestPacket(id, event, input));
        }),
      close: () => webSocket.destroy(),
    };
  });
}

export function requestPacket(id: number, event: string, input: unknown): string {
  return `42${id}${JSON.stringify([event, input])}`;
}

function settle(
  acks: Map<number, (ack: Ack) => void>,
  text: string,
  otherwise?: (text: string, id: number) => void,
): void {
  const start = text.indexOf('[');
  const id = Number(text.slice(2, start));
  const waiting = acks.get(id);
  if (!waiting) {
    otherwise?.(text.slice(start), id);
    return;
  }
  acks.delete(id);
  waiting((JSON.parse(text.slice(start)) as [Ack])[0]);
}
