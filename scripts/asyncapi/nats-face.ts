import {
  Actor,
  ANY_ID,
  BATCH_LIMITS,
  batchOf,
  buildSubject,
  controls,
  deliveries,
  facts,
  GatewayActor,
  gatewayCalls,
  isBatched,
  ServiceActor,
  serviceRequests,
  userRequests,
  type ControlName,
  type DeliveryName,
  type FactName,
  type GatewayCallName,
  type GatewayCallRow,
  type Recipient,
  type ServiceRequestName,
  type ServiceRequestRow,
  type UserRequestName,
  type UserRequestRow,
} from '@rapport/contracts';
import type { z } from 'zod';
import type { Face } from './face.ts';
import { channelMessage, channelReference, messageReferences, toPart, toTypeName } from './names.ts';
import {
  batchReplyHeaders,
  controlHeaders,
  deliveryHeaders,
  factHeaders,
  failureHeaders,
  replyHeaders,
  requestHeaders,
} from './nats-headers.ts';
import type { JsonObject, SchemaBook } from './schemas.ts';
import { failureSchema, successSchema } from './socket-face.ts';

const INBOX = 'inbox';
const FAILURE = 'rpc.failure';
const ON_NATS = { servers: [{ $ref: '#/servers/nats' }] };

/** The service teams' face, seen from the services: they receive requests and send the rest. */
export function natsFace(book: SchemaBook): Face {
  const face = { channels: {}, operations: {}, messages: {} };
  addRequests(face, book);
  addDeliveries(face, book);
  addFacts(face, book);
  addControls(face, book);
  return face;
}

interface OpenFace {
  channels: JsonObject;
  operations: JsonObject;
  messages: JsonObject;
}

function addRequests({ channels, operations, messages }: OpenFace, book: SchemaBook): void {
  const replies = [FAILURE];
  messages[FAILURE] = {
    summary: 'Why a request failed; the headers say it for tools that know the NATS services API.',
    headers: failureHeaders(book),
    payload: failureSchema(book),
  };
  for (const request of [...requestsOfUsers(), ...requestsOfServices(), ...requestsOfGateways()]) {
    const { name, row, actor } = request;
    const reply = `${name}.reply`;
    replies.push(reply);
    messages[name] = {
      summary: row.summary,
      headers: requestHeaders(book),
      payload: {
        type: 'object',
        properties: {
          actor: book.refer(actor.schema, actor.name, 'input'),
          input: book.refer(row.input, `${request.type}Input`, 'input'),
        },
        required: ['actor', 'input'],
      },
    };
    messages[reply] = {
      summary: request.replySummary,
      headers: replyHeaders(book),
      payload: successSchema(book, request.type, row.output),
    };
    channels[name] = {
      address: request.subject,
      description: request.whoMayAsk,
      ...ON_NATS,
      messages: messageReferences([name]),
    };
    replies.push(...addBatch({ channels, operations, messages }, request, book));
    operations[name] = {
      action: 'receive',
      channel: channelReference(name),
      summary: row.summary,
      description: `Answered by ${row.answeredBy}${request.isOrdered ? ', in the order in which one socket sent them' : ''}.`,
      messages: [channelMessage(name, name)],
      reply: {
        channel: channelReference(INBOX),
        messages: [channelMessage(INBOX, reply), channelMessage(INBOX, FAILURE)],
      },
      bindings: { nats: { queue: row.answeredBy } },
    };
  }
  channels[INBOX] = {
    address: null,
    description: 'The reply subject that comes with a request: an inbox of the caller.',
    ...ON_NATS,
    messages: messageReferences(replies),
  };
}

/** The batch form of a request that has one. @returns the name of its reply */
function addBatch(
  { channels, operations, messages }: OpenFace,
  { name, row, whoMayAsk, batchSubject, actor, type }: DescribedRequest,
  book: SchemaBook,
): string[] {
  if (batchSubject === undefined) return [];
  const [batch, reply] = [`${name}-batch`, `${name}-batch.reply`];
  messages[batch] = {
    summary: `A list of requests: ${row.summary}`,
    headers: requestHeaders(book),
    payload: {
      type: 'array',
      minItems: 1,
      maxItems: BATCH_LIMITS.items,
      items: {
        type: 'object',
        properties: {
          actor: book.refer(actor.schema, actor.name, 'input'),
          input: book.refer(row.input, `${type}Input`, 'input'),
          socketId: { type: 'string', description: 'The id of the socket it came from.' },
        },
        required: ['actor', 'input'],
      },
    },
  };
  messages[reply] = {
    summary: 'A reply to each request of the list, in the same order.',
    headers: batchReplyHeaders(book),
    payload: { type: 'array', items: { anyOf: [successSchema(book, type, row.output), failureSchema(book)] } },
  };
  channels[batch] = { address: batchSubject, description: whoMayAsk, ...ON_NATS, messages: messageReferences([batch]) };
  operations[batch] = {
    action: 'receive',
    channel: channelReference(batch),
    summary: `A list of requests: ${row.summary}`,
    description: `Answered by ${row.answeredBy}; each request has an outcome of its own.`,
    messages: [channelMessage(batch, batch)],
    reply: {
      channel: channelReference(INBOX),
      messages: [channelMessage(INBOX, reply), channelMessage(INBOX, FAILURE)],
    },
    bindings: { nats: { queue: row.answeredBy } },
  };
  return [reply];
}

interface DescribedRequest {
  readonly name: string;
  readonly subject: string;
  readonly batchSubject?: string;
  readonly row: UserRequestRow | ServiceRequestRow | GatewayCallRow;
  /** The stem of the names of its schemas. */
  readonly type: string;
  readonly actor: { readonly schema: z.ZodType; readonly name: string };
  readonly whoMayAsk: string;
  readonly replySummary: string;
  readonly isOrdered: boolean;
}

function requestsOfUsers(): DescribedRequest[] {
  return (Object.keys(userRequests) as UserRequestName[]).map(event => ({
    name: `rpc.user.${toPart(event)}`,
    subject: buildSubject({ family: 'request', caller: 'user', name: event }),
    ...(isBatched(event) && {
      batchSubject: buildSubject({ family: 'request', caller: 'user', name: batchOf(event) }),
    }),
    row: userRequests[event],
    type: toTypeName(event),
    actor: { schema: Actor, name: 'Actor' },
    whoMayAsk: 'Only gateways may publish here.',
    replySummary: `The reply to ${event}, which the gateway passes on as its ack.`,
    isOrdered: userRequests[event].ordered,
  }));
}

function requestsOfServices(): DescribedRequest[] {
  return (Object.keys(serviceRequests) as ServiceRequestName[]).map(name => ({
    name: `rpc.service.${name}`,
    subject: buildSubject({ family: 'request', caller: 'service', name }),
    row: serviceRequests[name],
    type: `Service${toTypeName(name)}`,
    actor: { schema: ServiceActor, name: 'ServiceActor' },
    whoMayAsk: ['Only these may publish here: back-office', ...serviceRequests[name].askedBy].join(', ').concat('.'),
    replySummary: `The reply to ${name}.`,
    isOrdered: false,
  }));
}

function requestsOfGateways(): DescribedRequest[] {
  return (Object.keys(gatewayCalls) as GatewayCallName[]).map(name => ({
    name: `rpc.gateway.${name}`,
    subject: buildSubject({ family: 'request', caller: 'gateway', name }),
    row: gatewayCalls[name],
    type: `Gateway${toTypeName(name)}`,
    actor: { schema: GatewayActor, name: 'GatewayActor' },
    whoMayAsk: 'Only gateways may publish here.',
    replySummary: `The reply to ${name}.`,
    isOrdered: false,
  }));
}

function addDeliveries({ channels, operations, messages }: OpenFace, book: SchemaBook): void {
  for (const event of Object.keys(deliveries) as DeliveryName[]) {
    const row = deliveries[event];
    const message = `deliver.${toPart(event)}`;
    messages[message] = {
      summary: row.summary,
      headers: deliveryHeaders(book),
      payload: book.refer(row.payload, `${toTypeName(event)}Payload`, 'output'),
    };
    for (const kind of row.to) {
      const name = `deliver.${kind}.${toPart(event)}`;
      channels[name] = { ...deliveryAddress(kind, event), ...ON_NATS, messages: messageReferences([message]) };
      operations[name] = {
        action: 'send',
        channel: channelReference(name),
        summary: row.summary,
        description: `Published by ${row.publishedBy}. A gateway that holds such a socket passes the body on byte for byte.`,
        messages: [channelMessage(name, message)],
      };
    }
  }
}

function deliveryAddress(kind: 'user' | 'therapist' | 'all', event: DeliveryName): JsonObject {
  if (kind === 'all') return { address: buildSubject({ family: 'delivery', to: 'all', name: event }) };
  const to: Recipient<typeof ANY_ID> = kind === 'user' ? { user: ANY_ID } : { therapist: ANY_ID };
  const parameter = `${kind}Id`;
  return {
    address: buildSubject({ family: 'delivery', to, name: event }).replace('*', `{${parameter}}`),
    parameters: { [parameter]: { description: `The id of the ${kind} whose sockets get it.` } },
  };
}

function addFacts({ channels, operations, messages }: OpenFace, book: SchemaBook): void {
  for (const fact of Object.keys(facts) as FactName[]) {
    const row = facts[fact];
    const name = `event.${fact}`;
    const subject = buildSubject({ family: 'fact', name: fact });
    messages[name] = {
      summary: row.summary,
      headers: factHeaders(book, subject, row.publishedBy),
      payload: book.refer(row.data, `${toTypeName(fact)}Fact`, 'output'),
    };
    channels[name] = { address: subject, ...ON_NATS, messages: messageReferences([name]) };
    operations[name] = {
      action: 'send',
      channel: channelReference(name),
      summary: row.summary,
      description: `Published by ${row.publishedBy} to JetStream; consumed by ${row.consumedBy.join(', ') || 'nobody yet'}.`,
      messages: [channelMessage(name, name)],
    };
  }
}

function addControls({ channels, operations, messages }: OpenFace, book: SchemaBook): void {
  for (const control of Object.keys(controls) as ControlName[]) {
    const row = controls[control];
    const name = `control.${control}`;
    messages[name] = {
      summary: row.summary,
      headers: controlHeaders(book),
      payload: book.refer(row.data, `${toTypeName(control)}Control`, 'output'),
    };
    channels[name] = {
      address: buildSubject({ family: 'control', name: control }),
      ...ON_NATS,
      messages: messageReferences([name]),
    };
    operations[name] = {
      action: 'send',
      channel: channelReference(name),
      summary: row.summary,
      description: `Published by ${row.publishedBy}; every gateway listens.`,
      messages: [channelMessage(name, name)],
    };
  }
}
