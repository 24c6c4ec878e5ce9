import { describe, expect, test } from '@jest/globals';
import {
  ANY_ID,
  ANY_NAME,
  buildSubject,
  isId,
  readSubject,
  toSocketEvent,
  type Recipient,
  type Subject,
} from '@rapport/contracts';
import fc from 'fast-check';

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const word = fc.stringMatching(/^[a-z][a-z-]{0,20}$/);
const name = fc.tuple(word, word).map(words => words.join('.'));
const recipient: fc.Arbitrary<Recipient> = fc.oneof(
  fc.record({ user: id }),
  fc.record({ therapist: id }),
  fc.constant('all' as const),
);
const subject = fc.oneof(
  fc.record({
    family: fc.constant('request' as const),
    caller: fc.constantFrom('user' as const, 'service' as const, 'gateway' as const),
    name,
  }),
  fc.record({ family: fc.constant('fact' as const), name }),
  fc.record({ family: fc.constant('control' as const), name }),
  fc.record({ family: fc.constant('delivery' as const), to: recipient, name }),
) satisfies fc.Arbitrary<Subject>;

/** Anything, and what looks like one of ours. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.oneof(fc.constantFrom('rpc', 'event', 'deliver', 'control', 'v1', 'user', 'all', 'therapist'), fc.string()),
    )
    .map(tokens => tokens.join('.')),
  subject.chain(parts => fc.string().map(tail => buildSubject(parts) + tail)),
  fc.tuple(subject, fc.nat(), fc.string({ maxLength: 2 })).map(([parts, at, inserted]) => {
    const built = buildSubject(parts);
    const position = at % (built.length + 1);
    return built.slice(0, position) + inserted + built.slice(position);
  }),
);

describe('building', () => {
  test('follows the grammar of the contract', () => {
    const messageReceived = 'message:received';

    expect(buildSubject({ family: 'request', caller: 'user', name: 'message:send' })).toBe('rpc.v1.user.message.send');
    expect(buildSubject({ family: 'request', caller: 'service', name: 'session.revoke' })).toBe(
      'rpc.v1.service.session.revoke',
    );
    expect(buildSubject({ family: 'fact', name: 'message.sent' })).toBe('event.v1.message.sent');
    expect(buildSubject({ family: 'control', name: 'session.revoked' })).toBe('control.v1.session.revoked');
    expect(buildSubject({ family: 'delivery', to: { user: 'bob' }, name: messageReceived })).toBe(
      'deliver.v1.user.bob.message.received',
    );
    expect(buildSubject({ family: 'delivery', to: { therapist: 't-1' }, name: messageReceived })).toBe(
      'deliver.v1.therapist.t-1.message.received',
    );
    expect(buildSubject({ family: 'delivery', to: 'all', name: messageReceived })).toBe(
      'deliver.v1.all.message.received',
    );
  });

  test('makes patterns from symbols alone, which no input can be', () => {
    expect(buildSubject({ family: 'delivery', to: { user: ANY_ID }, name: ANY_NAME })).toBe('deliver.v1.user.*.>');
    expect(buildSubject({ family: 'request', caller: 'service', name: ANY_NAME })).toBe('rpc.v1.service.>');
    expect(() => JSON.parse(JSON.stringify({ id: ANY_ID }))).not.toThrow();
    expect(JSON.stringify({ id: ANY_ID, name: ANY_NAME })).toBe('{}');
  });

  test('never makes a wildcard, an empty token or white space out of texts', () => {
    fc.assert(
      fc.property(subject, parts => {
        expect(buildSubject(parts)).toMatch(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$/);
      }),
    );
  });
});

describe('reading', () => {
  test('gives back what was built', () => {
    fc.assert(
      fc.property(subject, parts => {
        expect(readSubject(buildSubject(parts))).toEqual(parts);
      }),
    );
  });

  test('never throws, and reads nothing that would not be built the same', () => {
    fc.assert(
      fc.property(text, given => {
        const parts = readSubject(given);
        expect(parts ? buildSubject(parts) : given).toBe(given);
      }),
      { numRuns: 2_000 },
    );
  });

  test('never gives an id that is not safe', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('*', '>', 'a.b', '', 'a b')), given => {
        for (const kind of ['user', 'therapist']) {
          const parts = readSubject(`deliver.v1.${kind}.${given}.message.received`);
          expect(parts === undefined || isId(given)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    '',
    '.',
    'event',
    'event.v1',
    'event.v1.message',
    'event.v2.message.sent',
    'event.v1.message:sent',
    'event.v1.Message.Sent',
    'event.v1.message.sent.more',
    'event.v1.message.sent\n',
    'rpc.v1.message.send',
    'rpc.v1.admin.message.send',
    'rpc.v1.user.>',
    'deliver.v1.message.received',
    'deliver.v1.user.message.received',
    'deliver.v1.user.*.message.received',
    'deliver.v1.user.bob.>',
    'deliver.v1.group.bob.message.received',
    'deliver.v1.all.bob.message.received',
    'deliver.v1.user.a.b.message.received',
    'constructor.v1.message.sent',
    '__proto__.v1.message.sent',
  ])('knows that %j is none of ours', given => {
    expect(readSubject(given)).toBeUndefined();
  });
});

test('the name of a socket event goes through a subject and back', () => {
  const event = 'appointment:no-show';
  const parts = readSubject(buildSubject({ family: 'request', caller: 'user', name: event }));

  expect(toSocketEvent(parts?.name ?? '')).toBe(event);
});
