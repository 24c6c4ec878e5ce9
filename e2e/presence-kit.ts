import { requestAsService, type Bus } from '@rapport/bus';
import type { Presence, ServiceInput, ServiceRequestName, Status } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import { backOfficeOf, clientOf, databaseOf, emit, next, presenceInboxOf, runningStack } from './kit.ts';

/** Long enough that coming back is no matter of luck on a busy machine, and short enough to wait for. */
export const GRACE_MS = 3_000;
const LEASE_MS = 8_000;

/** Links the two, and waits until the presence service knows. */
export type Link = (clientUserId: string, therapistUserId: string) => Promise<void>;

/** Two gateways and two replicas, under the policy of production, with shorter times. */
export async function presenceStack(
  env: Record<string, string> = {},
): Promise<{ stack: Stack; backOffice: Bus; link: Link }> {
  const stack = await runningStack({
    processes: { gateway: 2, 'presence-service': 2 },
    env: {
      CONTACT_POLICY: 'care-team',
      PRESENCE_GRACE_MS: String(GRACE_MS),
      PRESENCE_LEASE_MS: String(LEASE_MS),
      ...env,
    },
  });
  const backOffice = await backOfficeOf(stack);
  const presence = databaseOf(stack, 'presence-service');
  const link: Link = async (clientUserId, therapistUserId) => {
    await ask(backOffice, 'relationship.link', { clientUserId, therapistUserId });
    const known = 'select from care_relationship where client_user_id = $1 and therapist_user_id = $2 and linked';
    await until(async () => (await presence.query(known, [clientUserId, therapistUserId])).rowCount === 1);
  };
  return { stack, backOffice, link };
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
