import { createSecretKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectBus } from '@rapport/bus';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';
import { silentObserver } from '../../e2e/silent-observer.ts';
import { answerParent } from '../child/commands.ts';
import { pace } from '../load/pace.ts';
import { sampleMessage } from './sample-message.ts';

// What the gateway is compared with: Socket.IO with the same options and nothing that is not needed to answer.

interface Nats {
  readonly server: string;
  readonly password: string;
}

interface Listening {
  /** Check the token of each handshake, and let the socket into the room of its user. */
  readonly jwtSecret?: string;
  /** Listen on NATS for what is delivered to each user, and emit it to their room. */
  readonly nats?: Nats;
}

interface Emitting {
  readonly users: number;
  readonly count: number;
  readonly perSecond: number;
}

const server = createServer();
const io = new Server(server, {
  serveClient: false,
  perMessageDeflate: false,
  httpCompression: false,
  cors: { origin: '*' },
  maxHttpBufferSize: 65_536,
  connectTimeout: 10_000,
  pingInterval: 15_000,
  pingTimeout: 10_000,
});

const commands = {
  /** Resolves to the port. */
  async listen({ jwtSecret, nats }: Listening): Promise<number> {
    const listenFor = nats && (await connectToNats(nats));
    if (jwtSecret !== undefined) {
      const key = createSecretKey(Buffer.from(jwtSecret));
      io.use((socket, next) => {
        const { token } = socket.handshake.auth as { token: string };
        const claims = jwt.verify(token, key, { algorithms: ['HS256'] });
        const userId = String(claims.sub);
        socket.data = { userId };
        void socket.join(`user:${userId}`);
        listenFor?.(userId);
        next();
      });
    }
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
  /** Emits to the rooms of user0, user1 … in turn. */
  async emit({ users, count, perSecond }: Emitting): Promise<void> {
    const messages = Array.from({ length: users }, (_, user) => sampleMessage(`user${user}`));
    await pace(perSecond, count, index => {
      io.to(`user:user${index % users}`).emit('message:received', messages[index % users]);
    });
  },
};

/** As a team would write it first: a subscription per user, parsed and emitted. */
async function connectToNats({ server: servers, password }: Nats): Promise<(userId: string) => void> {
  const { connection } = await connectBus({
    servers,
    as: 'gateway',
    user: 'gateway',
    password,
    requestTimeoutMs: 5_000,
    observer: silentObserver,
  });
  return userId => {
    connection.subscribe(`deliver.v1.user.${userId}.>`, {
      callback: (_error, message) => {
        io.to(`user:${userId}`).emit('message:received', JSON.parse(message.string()));
      },
    });
  };
}

export type BareCommands = typeof commands;
answerParent(commands);
