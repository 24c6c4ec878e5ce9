import { createSecretKey, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import jwt from 'jsonwebtoken';
import { Pool } from 'pg';
import { Server } from 'socket.io';
import { answerParent } from '../child/commands.ts';

// What the product is compared with: one Socket.IO server that checks the token, relays to the room of the recipient
// and acknowledges. With a database it is what a team would write first: one prepared insert for each message, and
// no other promise.

interface Listening {
  readonly jwtSecret: string;
  /** Store each message before it is relayed and acknowledged. */
  readonly databaseUrl?: string;
  readonly connections?: number;
}

interface Input {
  readonly recipientId: string;
  readonly content: string;
  readonly messageType?: string;
  readonly clientMessageId?: string;
}

const server = createServer();
const io = new Server(server, {
  serveClient: false,
  perMessageDeflate: false,
  httpCompression: false,
  cors: { origin: '*' },
  maxHttpBufferSize: 65_536,
  pingInterval: 15_000,
  pingTimeout: 10_000,
});

const commands = {
  /** Resolves to the port. */
  async listen({ jwtSecret, databaseUrl, connections = 10 }: Listening): Promise<number> {
    const store = databaseUrl === undefined ? undefined : await connectStore(databaseUrl, connections);
    const key = createSecretKey(Buffer.from(jwtSecret));
    io.use((socket, next) => {
      const { token } = socket.handshake.auth as { token: string };
      const claims = jwt.verify(token, key, { algorithms: ['HS256'] });
      const userId = String(claims.sub);
      void socket.join(`user:${userId}`);
      socket.on('message:send', async (input: Input, acknowledge: (ack: unknown) => void) => {
        const message = { id: randomUUID(), senderId: userId, ...input, createdAt: new Date().toISOString() };
        await store?.(message);
        io.to(`user:${input.recipientId}`).emit('message:received', message);
        acknowledge({ ok: true, data: message });
      });
      next();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
};

type Store = (message: Input & { id: string; senderId: string; createdAt: string }) => Promise<unknown>;

/** The leanest table that could hold a chat, with no index but its key. */
async function connectStore(connectionString: string, max: number): Promise<Store> {
  const pool = new Pool({ connectionString, max });
  await pool.query(
    `create table message (
       id uuid primary key, sender_id text not null, recipient_id text not null, content text not null,
       message_type text not null, client_message_id text, created_at timestamptz not null)`,
  );
  return message =>
    pool.query({
      name: 'insert',
      text: `insert into message (id, sender_id, recipient_id, content, message_type, client_message_id, created_at)
             values ($1, $2, $3, $4, $5, $6, $7)`,
      values: [
        message.id,
        message.senderId,
        message.recipientId,
        message.content,
        message.messageType ?? 'TEXT',
        message.clientMessageId ?? null,
        message.createdAt,
      ],
    });
}

export type MonolithCommands = typeof commands;
answerParent(commands);
