import { ERROR_CODES, FACTS_STREAM, HEADERS, Id, Timestamp } from '@rapport/contracts';
import type { JsonObject, SchemaBook } from './schemas.ts';

// The headers of each family of messages. Every message carries the trace it belongs to.

const TRACE = {
  [HEADERS.traceParent]: { type: 'string', description: 'W3C trace context.' },
};

const SOCKET_ID = { type: 'string', description: 'The id of a socket.' };

export function requestHeaders(book: SchemaBook): { $ref: string } {
  return enterHeaders(book, 'RequestHeaders', {
    [HEADERS.socket]: { ...SOCKET_ID, description: 'The id of the socket that the request came from.' },
  });
}

export function replyHeaders(book: SchemaBook): { $ref: string } {
  return enterHeaders(book, 'ReplyHeaders', {});
}

export function batchReplyHeaders(book: SchemaBook): { $ref: string } {
  return enterHeaders(book, 'BatchReplyHeaders', {
    [HEADERS.lengths]: {
      type: 'string',
      description:
        'How long each reply is, in UTF-16 code units, with a space between: the list can be parted unparsed.',
    },
  });
}

export function failureHeaders(book: SchemaBook): { $ref: string } {
  return enterHeaders(
    book,
    'FailureHeaders',
    {
      [HEADERS.errorCode]: { enum: Object.keys(ERROR_CODES), description: 'The code of the error in the body.' },
      [HEADERS.errorNumber]: {
        enum: Object.values(ERROR_CODES).map(String),
        description: `The number that belongs to the code: ${Object.entries(ERROR_CODES)
          .map(([code, number]) => `${number} ${code}`)
          .join(', ')}.`,
      },
    },
    [HEADERS.errorCode, HEADERS.errorNumber],
  );
}

export function deliveryHeaders(book: SchemaBook): { $ref: string } {
  return enterHeaders(book, 'DeliveryHeaders', {
    [HEADERS.except]: {
      ...SOCKET_ID,
      description: 'The id of a socket that does not get it, or a room of such sockets.',
    },
  });
}

export function controlHeaders(book: SchemaBook): { $ref: string } {
  return enterHeaders(book, 'ControlHeaders', {});
}

/** CloudEvents 1.0, binary content mode. */
export function factHeaders(book: SchemaBook, subject: string, publishedBy: string): JsonObject {
  const common = enterHeaders(
    book,
    'FactHeaders',
    {
      'ce-specversion': { const: '1.0' },
      'ce-id': { ...book.refer(Id, 'Id', 'output') },
      'ce-source': { type: 'string', description: 'The service that published it.' },
      'ce-type': { type: 'string', description: 'The subject.' },
      'ce-time': { ...book.refer(Timestamp, 'Timestamp', 'output') },
      'content-type': { const: 'application/json' },
      'Nats-Msg-Id': { type: 'string', description: 'The same as ce-id: consumers are idempotent by it.' },
      'Nats-Expected-Stream': { const: FACTS_STREAM },
    },
    ['ce-specversion', 'ce-id', 'ce-source', 'ce-type', 'ce-time', 'content-type', 'Nats-Msg-Id'],
  );
  return {
    type: 'object',
    allOf: [common],
    properties: { 'ce-type': { const: subject }, 'ce-source': { const: `/${publishedBy}` } },
  };
}

function enterHeaders(
  book: SchemaBook,
  name: string,
  properties: JsonObject,
  required: readonly string[] = [],
): { $ref: string } {
  return book.enter(name, {
    type: 'object',
    properties: { ...properties, ...TRACE },
    ...(required.length > 0 && { required }),
  });
}
