import { expect, test } from '@jest/globals';
import { headers, type MsgHdrs } from '@nats-io/nats-core';
import type { MsgHdrsImpl } from '@nats-io/nats-core/internal';
import fc from 'fast-check';
import { cloudEventLines, readCloudEvent } from '../src/cloud-event.ts';
import { factHeaders } from './consumption.ts';
import { aFact } from './samples.ts';

const ATTRIBUTES = ['ce-specversion', 'ce-id', 'ce-type', 'ce-time'];

test('what is written is read back', () => {
  const { id, time, data } = aFact();
  const written = `NATS/1.0\r\n${cloudEventLines('message.sent', id, time)}\r\n`;

  expect(readCloudEvent('message.sent', written, JSON.stringify(data))).toEqual({ id, time, data });
});

test('fields that a newer publisher added are left out', () => {
  const { data } = aFact();

  const fact = readCloudEvent('message.sent', textOf(factHeaders()), JSON.stringify({ ...data, later: 1 }));

  expect(fact.data).toEqual(data);
});

test('nothing is read from any other text, and the error does not quote it', () => {
  // Long enough not to turn up in a message by chance.
  const strange = fc.oneof(
    fc.string({ minLength: 12 }),
    fc.json().filter(text => text.length >= 12),
  );

  fc.assert(
    fc.property(strange, text => {
      const error = thrownBy(() => readCloudEvent('message.sent', textOf(factHeaders()), text));
      expect(error.message).not.toContain(text);
      expect(error.cause).toBeUndefined();
    }),
  );
});

test('nothing is read when an attribute is anything else, and the error does not quote it', () => {
  const good = JSON.stringify(aFact().data);
  // A header cannot hold a line break: NATS itself refuses it.
  const value = fc.stringMatching(/^[!-~]{12,40}$/).filter(text => Number.isNaN(Date.parse(text)));

  fc.assert(
    fc.property(fc.constantFrom(...ATTRIBUTES), value, (attribute, text) => {
      const given = attribute === 'ce-id' ? `${text}>` : text;
      const error = thrownBy(() => readCloudEvent('message.sent', textOf(factHeaders({ [attribute]: given })), good));
      expect(error.message).not.toContain(text);
    }),
  );
});

test('nothing is read without headers', () => {
  const good = JSON.stringify(aFact().data);

  expect(() => readCloudEvent('message.sent', '', good)).toThrow('ce-specversion');
  expect(() => readCloudEvent('message.sent', textOf(headers()), good)).toThrow('ce-specversion');
});

/** As they are in a message. */
const textOf = (block: MsgHdrs): string => Buffer.from((block as MsgHdrsImpl).encode()).toString('latin1');

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('an Error was expected');
}
