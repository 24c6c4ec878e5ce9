import { expect, test } from '@jest/globals';
import { headers } from '@nats-io/nats-core';
import { deliver, publish, requestForUser, traceId, withSpan } from '@rapport/bus';
import { consumeFacts, FACT_SUBJECT } from './consumption.ts';
import { answerWith, openHouse } from './kit.ts';
import { aFact, ALICE, aMessage, HELLO } from './samples.ts';

const house = openHouse();

test('one trace goes from the request through the handler to the delivery, the fact and its consumer', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const watcher = await house.connectRaw('developer');
  const seen = new Map<string, string[]>();
  const complete = Promise.withResolvers<void>();
  watcher.subscribe('>', {
    callback: (_error, message) => {
      const parent = message.headers?.get('traceparent');
      if (parent) seen.set(message.subject, parent.split('-'));
      if (seen.has('deliver.v1.user.bob.message.received') && seen.has(FACT_SUBJECT)) complete.resolve();
    },
  });
  await watcher.flush();
  const traces: Record<string, string | undefined> = {};
  consumeFacts(house, service, () => {
    traces['consumer'] = traceId();
  });
  await answerWith(house, service, {
    'message:send': async ({ input }) => {
      traces['handler'] = traceId();
      await service.connection.flush();
      await publish(service, 'message.sent', aFact());
      deliver(service, { user: input.recipientId }, 'message:received', aMessage(input.content));
      return aMessage(input.content);
    },
  });

  await withSpan('a request from outside', async () => {
    traces['caller'] = traceId();
    await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });
  });
  await Promise.all([complete.promise, service.observer.until('consumed')]);

  const trace = traces['caller'];
  expect(trace).toMatch(/^[0-9a-f]{32}$/);
  expect(traces).toEqual({ caller: trace, handler: trace, consumer: trace });
  for (const subject of ['rpc.v1.user.message.send', 'deliver.v1.user.bob.message.received', FACT_SUBJECT]) {
    const [version, id] = seen.get(subject) ?? [];
    expect([subject, version, id]).toEqual([subject, '00', trace]);
  }
});

test('two requests are two traces', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const traces: (string | undefined)[] = [];
  await answerWith(house, service, {
    'message:send': async ({ input }) => {
      traces.push(traceId());
      return aMessage(input.content);
    },
  });

  for (const round of [1, 2]) {
    await withSpan(`request ${round}`, () => requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO }));
  }
  await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });

  expect(new Set(traces).size).toBe(3);
  expect(traces).not.toContain(undefined);
});

test.each(['', 'garbage', '00-0-0-00', `00-${'f'.repeat(200)}`, '00-%s-%s-01'])(
  'a request with the traceparent %j is answered in a trace of its own',
  async traceparent => {
    const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
    const traces: (string | undefined)[] = [];
    await answerWith(house, service, {
      'message:send': async ({ input }) => {
        traces.push(traceId());
        return aMessage(input.content);
      },
    });
    const hostile = headers();
    hostile.set('traceparent', traceparent);

    const body = JSON.stringify({ actor: ALICE, input: HELLO });
    const raw = await gateway.connection.request('rpc.v1.user.message.send', body, {
      headers: hostile,
      timeout: 20_000,
    });

    expect(raw.json()).toMatchObject({ ok: true });
    expect(traces).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  },
);
