import { expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { consumerLag } from '@rapport/bus';
import { consumeFacts, factHeaders, FACT_SUBJECT, publishOne } from './consumption.ts';
import { CONSUMER, openHouse } from './kit.ts';
import { textOf } from './recorder.ts';
import { aFact } from './samples.ts';

const SECRET = 'what-alice-told-her-therapist';
const TERMINATED = `$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.EVENTS.${CONSUMER.durable}`;

const house = openHouse();

const good = JSON.stringify(aFact().data);
const withSecret = (changes: object) => JSON.stringify({ ...aFact().data, ...changes });

test.each([
  ['is not JSON', `{"content": ${SECRET}`, factHeaders()],
  ['is empty', '', factHeaders()],
  ['is null', 'null', factHeaders()],
  ['has no headers', withSecret({ content: SECRET }), undefined],
  ['has the type of another fact', withSecret({ content: SECRET }), factHeaders({ 'ce-type': SECRET })],
  ['has another version of CloudEvents', good, factHeaders({ 'ce-specversion': SECRET })],
  ['has no id', good, factHeaders({ 'ce-id': undefined })],
  ['has an id that is none', good, factHeaders({ 'ce-id': `${SECRET} >` })],
  ['has no time', good, factHeaders({ 'ce-time': undefined })],
  ['has a time that is none', good, factHeaders({ 'ce-time': SECRET })],
  ['breaks the schema', withSecret({ seq: SECRET, messageType: SECRET }), factHeaders()],
  ['hides its data in the prototype', `{"__proto__": ${good}}`, factHeaders()],
])(
  'a message that %s is counted, logged without its body and set aside, and the consumer goes on',
  async (...given) => {
    const [, body, headers] = given;
    const [service, developer] = [await house.join('messaging-service'), await house.join('developer')];
    const terminated = developer.connection.subscribe(TERMINATED, { max: 1 });
    await developer.connection.flush();
    const handled: string[] = [];
    consumeFacts(house, service, fact => void handled.push(fact.id));

    service.connection.publish(FACT_SUBJECT, body, headers && { headers });
    const barrier = await publishOne(service);
    await service.observer.until('consumed');
    const { value: advisory } = await terminated[Symbol.asyncIterator]().next();
    const { stream_seq: sequence } = JSON.parse(advisory?.string() ?? '{}') as { stream_seq?: number };

    expect(handled).toEqual([barrier.id]);
    expect(service.observer.told('setAside')).toEqual([{ subject: FACT_SUBJECT }]);
    const [line, ...others] = service.observer.told('log').filter(({ level }) => level === 'error');
    expect(others).toEqual([]);
    expect(line?.fields).toEqual({
      consumer: CONSUMER.durable,
      stream: 'EVENTS',
      sequence,
      reason: expect.any(String),
    });
    expect(textOf(service.observer.told('log'))).not.toContain(SECRET);
  },
);

test('a message that was set aside stays in the stream, and does not come again', async () => {
  const [service, developer] = [await house.join('messaging-service'), await house.join('developer')];
  const terminated = developer.connection.subscribe(TERMINATED, { max: 1 });
  await developer.connection.flush();
  const consuming = consumeFacts(house, service, () => {});

  service.connection.publish(FACT_SUBJECT, 'not JSON', { headers: factHeaders() });
  const { fields } = await service.observer.until('log', ({ level }) => level === 'error');
  await terminated[Symbol.asyncIterator]().next();
  await consuming.stop();

  const manager = await jetstreamManager(developer.connection, { checkAPI: false });
  const kept = await manager.streams.getMessage('EVENTS', { seq: fields['sequence'] as number });
  expect(kept?.string()).toBe('not JSON');
  expect(await consumerLag(service, CONSUMER)).toBe(0);
});
