import { deliveries, ErrorBody, gatewayEvents, gatewayRequests, userRequests } from '@rapport/contracts';
import type { z } from 'zod';
import type { Face } from './face.ts';
import { channelMessage, channelReference, messageReferences, toPart, toTypeName } from './names.ts';
import type { JsonObject, SchemaBook } from './schemas.ts';

const SOCKET = 'socket';

/** An event of a client, whoever answers it. */
interface RequestRow {
  readonly summary: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly roles?: readonly string[];
}

/** The client apps' face: one Socket.IO connection, whose events are the messages of one channel. */
export function socketFace(book: SchemaBook): Face {
  const failure = failureSchema(book);
  const messages: JsonObject = {};
  const operations: JsonObject = {};

  for (const [event, row] of Object.entries<RequestRow>({ ...userRequests, ...gatewayRequests })) {
    const name = `client.${toPart(event)}`;
    messages[name] = {
      name: event,
      summary: row.summary,
      payload: book.refer(row.input, `${toTypeName(event)}Input`, 'input'),
    };
    messages[`${name}.ack`] = {
      name: `ack of ${event}`,
      summary: `What the ack callback of ${event} receives.`,
      payload: { oneOf: [successSchema(book, toTypeName(event), row.output), failure] },
    };
    operations[name] = {
      action: 'receive',
      channel: channelReference(SOCKET),
      summary: row.summary,
      description: `Allowed for ${row.roles?.join(', ') ?? 'everybody'}. Without a callback a failure arrives as the error event.`,
      messages: [channelMessage(SOCKET, name)],
      reply: { channel: channelReference(SOCKET), messages: [channelMessage(SOCKET, `${name}.ack`)] },
    };
  }

  for (const [event, row] of Object.entries({ ...gatewayEvents, ...deliveries })) {
    const name = `server.${toPart(event)}`;
    messages[name] = {
      name: event,
      summary: row.summary,
      payload: book.refer(row.payload, `${toTypeName(event)}Payload`, 'output'),
    };
    operations[name] = {
      action: 'send',
      channel: channelReference(SOCKET),
      summary: row.summary,
      messages: [channelMessage(SOCKET, name)],
    };
  }

  return {
    channels: {
      [SOCKET]: {
        address: '/',
        title: 'The socket',
        description: 'The main namespace. The name of a message is the name of the Socket.IO event.',
        servers: [{ $ref: '#/servers/gateway' }],
        messages: messageReferences(Object.keys(messages)),
      },
    },
    operations,
    messages,
  };
}

/**
 * `{ ok: true, data }` of one request: what its ack carries, and its reply on NATS.
 * @param type the stem of the names of its schemas
 */
export function successSchema(book: SchemaBook, type: string, output: z.ZodType): { $ref: string } {
  return book.enter(`${type}Success`, {
    type: 'object',
    properties: {
      ok: { const: true },
      data: book.refer(output, `${type}Output`, 'output'),
    },
    required: ['ok', 'data'],
  });
}

/** `{ ok: false, error }` of any request. */
export function failureSchema(book: SchemaBook): { $ref: string } {
  return book.enter('Failure', {
    type: 'object',
    properties: { ok: { const: false }, error: book.refer(ErrorBody, 'ErrorBody', 'output') },
    required: ['ok', 'error'],
  });
}
