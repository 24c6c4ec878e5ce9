import { requestAsService, type Bus } from '@rapport/bus';
import type { Presence, ServiceInput, ServiceRequestName, Status } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { backOfficeOf, clientOf, emit, next, presenceInboxOf, runningStack } from './kit.ts';

/** Long enough that coming back is no matter of luck on a busy machine, and short enough to wait for. */
const GRACE_MS = 1_500;
export const LEASE_MS = 8_000;

/** Two gateways and two replicas, under the policy of production, with shorter times. */
export async function presenceStack(env: Record<string, string> = {}): Promise<{ stack: Stack; backOffice: Bus }> {
  const stack = await runningStack({
    processes: { gateway: 2, 'presence-service': 2 },
    env: {
      CONTACT_POLICY: 'care-team',
      PRESENCE_GRACE_MS: String(GRACE_MS),
      PRESENCE_LEASE_MS: String(LEASE_MS),
      ...env,
    },
  });
  return { stack, backOffice: await backOfficeOf(stack) };
}

const actor = { service: 'crm' };

/** What the back office asks for, and expects to get. */
export async function ask<N extends ServiceRequestName>(
  backOffice: Bus,
  name: N,
  input: ServiceInput<N>,
  onBehalfOf?: string,
) {
  const ack = (
    await requestAsService(backOffice, name, { actor: { ...actor, ...(onBehalfOf && { onBehalfOf }) }, input })
  ).read();
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data;
}

export const link = (backOffice: Bus, clientUserId: string, therapistUserId: string) =>
  ask(backOffice, 'relationship.link', { clientUserId, therapistUserId });

/** A person with a socket, and what it was told about presence since it connected, the state included. */
export interface Watcher {
  readonly socket: Socket;
  readonly told: [string, Record<string, unknown>][];
}

/** Resolves when the socket has its `presence:state`: whoever is linked to the user has been told by then. */
export async function watcher(stack: Stack, userId: string, options: { gateway?: number } = {}): Promise<Watcher> {
  const socket = clientOf(stack, userId, options);
  const told = presenceInboxOf(socket);
  await arrived(socket);
  return { socket, told };
}

/** Connects, for the first time or again, and waits for the state. */
export async function arrived(socket: Socket): Promise<Presence[]> {
  const state = next<{ presences: Presence[] }>(socket, 'presence:state');
  socket.connect();
  return (await state).presences;
}

export async function presencesOf(socket: Socket, userIds: readonly string[]): Promise<Presence[]> {
  const ack = await emit(socket, 'presence:get', { userIds });
  if (!ack.ok) throw new Error(ack.error.code);
  return ack.data['presences'] as Presence[];
}

export const statusesOf = async (socket: Socket, userIds: readonly string[]): Promise<Status[]> =>
  (await presencesOf(socket, userIds)).map(({ status }) => status);

export async function show(socket: Socket, status: Status): Promise<void> {
  const ack = await emit(socket, 'presence:set', { status });
  if (!ack.ok) throw new Error(ack.error.code);
}

/** The next news about that user, such as `user:offline`. */
export function news(socket: Socket, event: string, userId: string): Promise<Record<string, unknown>> {
  return new Promise(resolve => {
    const listener = (payload: Record<string, unknown>): void => {
      if (payload['userId'] !== userId) return;
      socket.off(event, listener);
      resolve(payload);
    };
    socket.on(event, listener);
  });
}

/** What was told of a user, in order: `online`, `offline`, or the status that they show. */
export function storyOf(told: Watcher['told'], userId: string): unknown[] {
  return told
    .filter(([, payload]) => payload['userId'] === userId)
    .map(([event, { status }]) => status ?? event.replace('user:', ''));
}
