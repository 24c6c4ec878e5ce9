import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Decoder, PacketType, type Packet } from 'socket.io-parser';
import { RawJson, rawJsonParser } from '../src/raw-json.ts';

// The gateway splices JSON text into packets; what a stock client makes of them is what its own decoder does.

/** JSON text as anybody may write it: other white space and escapes than JSON.stringify's. */
const jsonText = fc
  .tuple(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(undefined, 1, '\t'), fc.boolean())
  .map(([value, indent, escape]) => {
    const text = JSON.stringify(value, undefined, indent);
    return escape ? text.replaceAll(/[^ -~\n\t]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`) : text;
  });
const eventName = fc.oneof(fc.constantFrom('message:received', 'user:typing'), fc.string({ minLength: 1 }));
const namespace = fc.constantFrom('/', '/admin', '/a-b', '/1');
const ackId = fc.nat();

function decoded(packet: Packet): Packet {
  const encoded = new rawJsonParser.Encoder().encode(packet);
  expect(encoded).toHaveLength(1);
  let result: Packet | undefined;
  const decoder = new Decoder();
  decoder.on('decoded', each => {
    result = each;
  });
  decoder.add(encoded[0]);
  if (!result) throw new Error('nothing was decoded');
  return result;
}

const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];

test('an event with spliced text arrives as the event with the parsed text', () => {
  fc.assert(
    fc.property(eventName, jsonText, namespace, fc.option(ackId, { nil: undefined }), (event, text, nsp, id) => {
      fc.pre(!RESERVED.includes(event));
      const packet = decoded({
        type: PacketType.EVENT,
        nsp,
        data: [event, new RawJson(text)],
        ...(id != null && { id }),
      });
      expect(packet).toMatchObject({ type: PacketType.EVENT, nsp });
      expect(packet.data).toEqual([event, JSON.parse(text)]);
      expect(packet.id).toBe(id);
    }),
  );
});

test('an ack with spliced text arrives as the ack with the parsed text', () => {
  fc.assert(
    fc.property(jsonText, namespace, ackId, (text, nsp, id) => {
      const packet = decoded({ type: PacketType.ACK, nsp, id, data: [new RawJson(text)] });
      expect(packet).toEqual({ type: PacketType.ACK, nsp, id, data: [JSON.parse(text)] });
    }),
  );
});

test('what is spliced is the same text byte for byte', () => {
  const text = '{ "b":1e2,"a":"\\u00e9\\/", "a2" : [ ] }';
  const packet: Packet = { type: PacketType.EVENT, nsp: '/', data: ['message:received', new RawJson(text)] };
  expect(new rawJsonParser.Encoder().encode(packet)).toEqual([`2["message:received",${text}]`]);
});

test('a packet without spliced text is encoded as Socket.IO does', () => {
  fc.assert(
    fc.property(eventName, fc.jsonValue(), namespace, (event, value, nsp) => {
      fc.pre(!RESERVED.includes(event));
      const packet = decoded({ type: PacketType.EVENT, nsp, data: [event, value] });
      expect(packet.data).toEqual(JSON.parse(JSON.stringify([event, value])));
    }),
  );
});
