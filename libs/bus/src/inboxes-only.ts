import type { Msg, NatsConnection } from '@nats-io/nats-core';
import type { Bus } from './connect.ts';

/**
 * The connection of a bus, for code that answers. Whoever asks chooses the subject of the reply, and a
 * service may publish deliveries: a message whose reply would go anywhere but to an inbox is put aside.
 */
export function answeringInboxesOnly(bus: Bus): NatsConnection {
  const subscribe: NatsConnection['subscribe'] = (subject, options = {}) => {
    const { callback } = options;
    return bus.connection.subscribe(subject, {
      ...options,
      callback: (error, message) => (error || mayReply(message, bus) ? callback?.(error, message) : undefined),
    });
  };
  return Object.create(bus.connection, { subscribe: { value: subscribe } }) as NatsConnection;
}

function mayReply(message: Msg, bus: Bus): boolean {
  if (message.reply?.startsWith('_INBOX')) return true;
  bus.observer.setAside(message.subject);
  bus.observer.log.warn({ subject: message.subject }, 'a request without an inbox to reply to was put aside');
  return false;
}
