import { expect, test } from '@jest/globals';
import { requestAsService, type ServiceRequest } from '@rapport/bus';
import { AppError, type Relationship } from '@rapport/contracts';
import { answerWith, openHouse } from './kit.ts';

const SUBJECT = 'rpc.v1.service.relationship.link';
const PAIR = { clientUserId: 'alice', therapistUserId: 'dr-bob' };
const LINKED: Relationship = { ...PAIR, id: 'r-1', linked: true, since: '2026-11-25T09:00:00.000Z', version: 1 };

const house = openHouse();

test('a request of a service reaches its handler with who makes it, and for whom', async () => {
  const [backOffice, service] = [await house.join('back-office'), await house.join('messaging-service')];
  const requests: ServiceRequest<'relationship.link'>[] = [];
  await answerWith(
    house,
    service,
    {},
    {
      'relationship.link': async request => {
        requests.push(request);
        return LINKED;
      },
    },
  );
  const actor = { service: 'crm', onBehalfOf: 'carol' };

  const reply = await requestAsService(backOffice, 'relationship.link', { actor, input: PAIR });

  expect(requests).toEqual([{ actor, input: PAIR }]);
  expect(reply.read()).toEqual({ ok: true, data: LINKED });
  expect(backOffice.observer.told('requestEnded')).toEqual([{ subject: SUBJECT, code: 'OK' }]);
});

test('what it may not ask, or asks in the wrong form, is a failure that names the field', async () => {
  const [backOffice, service] = [await house.join('back-office'), await house.join('messaging-service')];
  await answerWith(
    house,
    service,
    {},
    {
      'relationship.link': async () => {
        throw new AppError('CONFLICT', 'not like this');
      },
    },
  );
  const ask = async (body: unknown) =>
    (await backOffice.connection.request(SUBJECT, JSON.stringify(body))).json<{ error: { code: string } }>();

  expect(await ask({ actor: { service: 'crm' }, input: PAIR })).toMatchObject({ error: { code: 'CONFLICT' } });
  for (const [body, path] of [
    [{ input: PAIR }, ''],
    [{ actor: { service: 'c r m' }, input: PAIR }, 'service'],
    [{ actor: { service: 'crm', onBehalfOf: '*' }, input: PAIR }, 'onBehalfOf'],
    // The actor of a user does not pass for a service's.
    [{ actor: { userId: 'alice', role: 'admin' }, input: PAIR }, 'service'],
    [{ actor: { service: 'crm' }, input: { ...PAIR, clientUserId: 'a.b' } }, 'clientUserId'],
    [{ actor: { service: 'crm' }, input: { ...PAIR, therapistUserId: 'alice' } }, 'therapistUserId'],
  ] as const) {
    expect(await ask(body)).toMatchObject({ error: { code: 'INVALID_PAYLOAD', details: [{ path }] } });
  }
});
