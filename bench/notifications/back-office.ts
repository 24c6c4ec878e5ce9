import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus, requestAsService, type Bus } from '@rapport/bus';
import { AppError, type ServiceInput } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import { silentObserver } from '../../e2e/silent-observer.ts';

const RETRY_MS = 100;

/** The back office's connection to the stack. */
export async function backOfficeOf(stack: Stack): Promise<Bus> {
  const url = new URL(stack.nats['back-office']);
  return connectBus({
    servers: url.host,
    as: 'back-office',
    user: url.username,
    password: url.password,
    requestTimeoutMs: 5_000,
    observer: silentObserver,
  });
}

function aNotification(userId: string, idempotencyKey: string): ServiceInput<'notification.create'> {
  const body = { title: 'Your form was received', message: 'Thank you. We will look at it within two days.' };
  return { userId, type: 'FORM_RECEIVED', ...body, priority: 'normal', idempotencyKey };
}

/** As a careful service does: again under the same key, until it is answered. @returns the id */
export async function createUntilAnswered(bus: Bus, userId: string, key: string): Promise<string> {
  const body = { actor: { service: 'bench' }, input: aNotification(userId, key) };
  for (;;) {
    try {
      const ack = (await requestAsService(bus, 'notification.create', body)).read();
      if (ack.ok) return ack.data.id;
      if (ack.error.code !== 'UNAVAILABLE') throw new Error(`${ack.error.code}: ${ack.error.message}`);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'UNAVAILABLE') throw error;
    }
    await sleep(RETRY_MS);
  }
}
