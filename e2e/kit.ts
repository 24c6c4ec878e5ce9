import { afterAll } from '@jest/globals';
import { connectBus, type Bus } from '@rapport/bus';
import type { BusUser, ServiceName } from '@rapport/contracts';
import { startStack, type Stack, type StackOptions } from '@rapport/local-stack';
import { env } from 'node:process';
import { Pool } from 'pg';
import { io, type Socket } from 'socket.io-client';
import { inSeconds, sign } from '../gateway/test/token.ts';
import { atEnd, temporaryFolder } from '../libs/service/test/kit.ts';
import { silentObserver } from './silent-observer.ts';

/** Six programs of their own on two cores, beside another test file. */
export const STACK_TIMEOUT_MS = 180_000;

/** Everything that any process of the file printed, and nobody may read in it what people wrote. */
const lines: string[] = [];
const planted = new Set<string>();

/** What a person says, or is called: unique, and searched for in all output when the file ends. */
export function secret(what = 'secret'): string {
  const text = `${what}-${Math.random().toString(36).slice(2)}-p1anted`;
  planted.add(text);
  return text;
}

export const output = (): readonly string[] => lines;
export const secrets = (): ReadonlySet<string> => planted;

afterAll(() => {
  const leaks = lines.filter(line => line.includes('p1anted'));
  if (leaks.length > 0) throw new Error(['what people wrote is in the output:', ...leaks].join('\n'));
});

/** A running stack, stopped at the end of the file: nothing of it may be left running. */
export async function runningStack(options: Partial<StackOptions> = {}): Promise<Stack> {
  const stack = await startStack({
    dataDir: temporaryFolder(),
    ...options,
    env: { PATH: env['PATH'], NATS_SERVER: env['NATS_SERVER'], LOG_LEVEL: 'trace', ...options.env },
    output: { note: text => void lines.push(text), line: (name, text) => void lines.push(`${name} ${text}`) },
  });
  atEnd(async () => {
    const pids = [...stack.programs.values()].map(({ pid }) => pid);
    await stack.stop();
    const left = pids.filter(pid => pid !== undefined && isRunning(pid));
    if (left.length > 0) throw new Error(`still running after the stop: ${left.join(', ')}`);
  });
  return stack;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A service's database; the messaging service's when left out. */
export function databaseOf(stack: Stack, service: ServiceName = 'messaging-service'): Pool {
  const pool = new Pool({ connectionString: stack.databases[service], max: 5 });
  // A test kills the server under it.
  pool.on('error', () => undefined);
  atEnd(() => pool.end());
  return pool;
}

/** A connection of the local developer, who may watch everything. */
export const developerOf = (stack: Stack): Promise<Bus> => busOf(stack, 'developer');

/** A connection of the platform's back office, which may make the requests of services. */
export const backOfficeOf = (stack: Stack): Promise<Bus> => busOf(stack, 'back-office');

async function busOf(stack: Stack, user: BusUser): Promise<Bus> {
  const url = new URL(stack.nats[user]);
  const bus = await connectBus({
    servers: url.host,
    as: user,
    user: url.username,
    password: url.password,
    requestTimeoutMs: 10_000,
    observer: silentObserver,
  });
  atEnd(() => bus.connection.close());
  return bus;
}

export function tokenOf(stack: Stack, userId: string, claims: object = {}): string {
  return sign({ sub: userId, name: secret('name'), exp: inSeconds(3_600), ...claims }, stack.jwtSecret);
}

interface Connecting {
  /** Which gateway; the first when left out. */
  readonly gateway?: number;
  readonly claims?: object;
}

/** A stock client of that user, not connected yet; disconnected at the end of the file. */
export function clientOf(stack: Stack, userId: string, { gateway = 0, claims = {} }: Connecting = {}): Socket {
  const socket = io(stack.gateways[gateway] ?? '', {
    auth: { token: tokenOf(stack, userId, claims) },
    transports: ['websocket'],
    forceNew: true,
    // After a kill nobody should wait longer than the program that was killed.
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
    autoConnect: false,
  });
  atEnd(() => socket.disconnect());
  return socket;
}

/** … and connected. */
export async function connected(stack: Stack, userId: string, options?: Connecting): Promise<Socket> {
  const socket = clientOf(stack, userId, options);
  await new Promise<unknown>((resolve, reject) => {
    // The first event of all; what a test sees after it is its own.
    socket.once('session:ready', resolve).once('connect_error', reject).connect();
  });
  return socket;
}

/** The next time that the event comes. */
export function next<Payload = Record<string, unknown>>(socket: Socket, event: string): Promise<Payload> {
  return new Promise(resolve => socket.once(event, resolve));
}

type Inbox = [string, Record<string, unknown>][];

/** What is told of people who come and go; under the policy `open`, which most tests run with, of everybody. */
const ABOUT_PRESENCE = ['presence:state', 'user:online', 'user:offline', 'user:presence'];

/** Everything that the socket receives from now on and that is not about presence, as `[event, payload]`. */
export function inboxOf(socket: Socket): Inbox {
  return filtered(socket, event => !ABOUT_PRESENCE.includes(event));
}

/** What the socket is told about presence from now on. */
export function presenceInboxOf(socket: Socket): Inbox {
  return filtered(socket, event => ABOUT_PRESENCE.includes(event));
}

function filtered(socket: Socket, isWanted: (event: string) => boolean): Inbox {
  const inbox: Inbox = [];
  socket.onAny((event: string, payload: Record<string, unknown>) => {
    if (isWanted(event)) inbox.push([event, payload]);
  });
  return inbox;
}

export type Ack =
  | { ok: true; data: Record<string, unknown> & { id: string; seq: number; conversationId: string } }
  | { ok: false; error: { code: string; message: string; details?: unknown; retryAfterMs?: number } };

export async function emit(socket: Socket, event: string, ...input: unknown[]): Promise<Ack> {
  return (await socket.emitWithAck(event, ...input)) as Ack;
}

/** Sends, and expects that it succeeds. */
export async function send(socket: Socket, recipientId: string, content = secret(), more: object = {}) {
  const ack = await emit(socket, 'message:send', { recipientId, content, ...more });
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data;
}

/**
 * Proves that nothing else is on its way to the socket: a typing notice, sent after everything else by
 * somebody else, has arrived.
 */
export async function barrier(from: Socket, to: Socket, recipientId: string): Promise<void> {
  const arrived = next(to, 'user:typing');
  await emit(from, 'message:typing', { recipientId, isTyping: true });
  await arrived;
}
