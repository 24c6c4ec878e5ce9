import { expect, test } from '@jest/globals';
import {
  controls,
  deliveries,
  facts,
  gatewayCalls,
  gatewayEvents,
  gatewayRequests,
  isBatched,
  serviceRequests,
  userRequests,
  type UserRequestName,
} from '@rapport/contracts';
import { z } from 'zod';
import { asyncApiDocument, asyncApiText } from './document.ts';
import { openSchemaBook, type JsonObject } from './schemas.ts';
import { asyncApiErrors } from './validate.ts';

const document = asyncApiDocument();

test('the official parser finds no error in the document', async () => {
  expect(await asyncApiErrors(asyncApiText())).toEqual([]);
});

test('the official parser finds a reference to nothing, and a document that is none', async () => {
  const broken = asyncApiText().replace(
    '#/channels/socket/messages/client.message.send',
    '#/channels/socket/messages/x',
  );

  expect(await asyncApiErrors(broken)).not.toEqual([]);
  expect(await asyncApiErrors('asyncapi: 3.0.0')).not.toEqual([]);
});

test('every row of the table has its operation on each face that it shows on', () => {
  const asPart = (prefix: string, event: string) => `${prefix}.${event.replace(':', '.')}`;
  const expected = [
    ...Object.keys(userRequests).flatMap(event => [asPart('client', event), asPart('rpc.user', event)]),
    ...(Object.keys(userRequests) as UserRequestName[])
      .filter(isBatched)
      .map(event => `${asPart('rpc.user', event)}-batch`),
    ...Object.keys(serviceRequests).map(name => `rpc.service.${name}`),
    ...Object.keys(gatewayCalls).map(name => `rpc.gateway.${name}`),
    ...Object.keys(controls).map(name => `control.${name}`),
    ...Object.keys(gatewayRequests).map(event => asPart('client', event)),
    ...Object.keys({ ...gatewayEvents, ...deliveries }).map(event => asPart('server', event)),
    ...Object.entries(deliveries).flatMap(([event, { to }]) => to.map(kind => asPart(`deliver.${kind}`, event))),
    ...Object.keys(facts).map(fact => asPart('event', fact)),
  ];

  expect(Object.keys(document['operations'] as JsonObject).toSorted()).toEqual(expected.toSorted());
});

test('a field that is health data says so', () => {
  expect(document).toHaveProperty('components.schemas.Message.properties.content.x-health-data', true);
  expect(document).toHaveProperty('components.schemas.Message.properties.attachment', {
    'x-health-data': true,
    allOf: [{ $ref: '#/components/schemas/Attachment' }],
  });
});

test('a field that may be left out of an input is there in an output', () => {
  const schema = z.object({ limit: z.int().default(50) });
  const book = openSchemaBook();
  book.refer(schema, 'ListInput', 'input');
  book.refer(schema, 'ListOutput', 'output');

  expect(book.schemas()).toEqual({
    ListInput: { type: 'object', properties: { limit: { type: 'integer', default: 50 } } },
    ListOutput: { type: 'object', properties: { limit: { type: 'integer', default: 50 } }, required: ['limit'] },
  });
});

test('one id cannot stand for two different schemas', () => {
  const schema = z.object({ limit: z.int().default(50) }).meta({ id: 'Page' });
  const book = openSchemaBook();
  book.refer(schema, 'unused', 'input');

  expect(() => book.refer(schema, 'unused', 'output')).toThrow("'Page' reads differently");
});
