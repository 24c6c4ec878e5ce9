import { describe, expect, test } from '@jest/globals';
import {
  BUS_USERS,
  busRights,
  carriesHealthData,
  deliveries,
  factConsumers,
  facts,
  gatewayCalls,
  inboxPrefix,
  serviceRequests,
  userRequests,
  type BusUser,
  type DeliveryName,
  type FactConsumer,
  type FactName,
  type GatewayCallRow,
  type ServiceName,
  type ServiceRequestRow,
  type UserRequestName,
  type UserRequestRow,
} from '@rapport/contracts';

const CONSUMER: FactConsumer = { durable: 'd', fact: 'message.sent', service: 'messaging-service' };

/** In the order of the table. */
const contentFree = (Object.keys(deliveries) as DeliveryName[]).filter(
  event => !carriesHealthData(deliveries[event].payload),
);

const rights = busRights();
const everybody = BUS_USERS.map(user => [user, rights[user]] as const);

describe('what each user may do, word for word', () => {
  test('the gateway asks for users and hears what is delivered', () => {
    expect(rights.gateway).toEqual({
      publish: [
        ...(Object.keys(userRequests) as UserRequestName[]).flatMap(subjectsOf),
        ...requestsMadeBy('gateway'),
        ...Object.keys(gatewayCalls).map(name => `rpc.v1.gateway.${name}`),
      ],
      subscribe: [
        'deliver.v1.user.*.>',
        'deliver.v1.therapist.*.>',
        'deliver.v1.all.>',
        'control.v1.>',
        '_INBOX_gateway.>',
      ],
    });
  });

  test('the messaging service answers in its queue group, delivers, and publishes its facts', () => {
    expect(rights['messaging-service'].publish).toEqual([
      ...deliveriesOf('messaging-service'),
      ...factsOf('messaging-service'),
      '_INBOX_gateway.>',
      '_INBOX_back-office.>',
      '_INBOX_ops.>',
      '_INBOX.>',
    ]);
    expect(rights['messaging-service'].subscribe).toEqual([
      ...requestsAnsweredBy('messaging-service'),
      ...['PING', 'INFO', 'STATS'].flatMap(verb => [
        `$SRV.${verb}`,
        `$SRV.${verb}.messaging-service`,
        `$SRV.${verb}.messaging-service.*`,
      ]),
      '_INBOX_messaging-service.>',
    ]);
  });

  test('the presence service answers gateways too, and tells them what is revoked', () => {
    const own = rights['presence-service'];
    expect(own.publish).toEqual([
      ...deliveriesOf('presence-service'),
      'control.v1.session.revoked',
      '_INBOX_gateway.>',
      '_INBOX_notification-service.>',
      '_INBOX_back-office.>',
      '_INBOX_ops.>',
      '_INBOX.>',
      ...consumed('presence-service_relationship-changed'),
    ]);
    expect(own.subscribe.filter(subject => subject.startsWith('rpc.'))).toEqual(requestsAnsweredBy('presence-service'));
    expect(own.subscribe).toContain('rpc.v1.gateway.session.report presence-service');
  });

  test('the provisioner makes the stream of facts and its consumers, and removes nothing', () => {
    expect(rights.provisioner).toEqual({
      publish: [
        '$JS.API.INFO',
        '$JS.API.STREAM.CREATE.EVENTS',
        '$JS.API.STREAM.UPDATE.EVENTS',
        '$JS.API.STREAM.INFO.EVENTS',
        '$JS.API.STREAM.MSG.GET.EVENTS',
        '$JS.API.CONSUMER.INFO.EVENTS.*',
        '$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.*',
        '$JS.API.CONSUMER.CREATE.EVENTS.>',
      ],
      subscribe: ['_INBOX_provisioner.>'],
    });
  });

  test('the back office makes requests as a service', () => {
    expect(rights['back-office']).toEqual({ publish: ['rpc.v1.service.>'], subscribe: ['_INBOX_back-office.>'] });
  });

  test('operations watch what carries no content, and ask only who is there', () => {
    expect(contentFree).toContain('user:typing');
    expect(contentFree).not.toContain('message:received');
    expect(rights.ops.publish.every(subject => /^\$SRV\.(PING|INFO|STATS)(\.>)?$/.test(subject))).toBe(true);
    expect(rights.ops.subscribe).toEqual([
      'event.v1.>',
      'control.v1.>',
      ...contentFree.flatMap(patternsOf),
      '$JS.EVENT.ADVISORY.>',
      '_INBOX_ops.>',
    ]);
  });

  test('the developer watches everything, and asks without changing anything', () => {
    expect(rights.developer.subscribe).toEqual(['>']);
    for (const subject of rights.developer.publish) {
      expect(subject).toMatch(
        /^(\$SRV\.(PING|INFO|STATS)(\.>)?|\$JS\.API\.(INFO|STREAM\.(NAMES|LIST|INFO\.\*|MSG\.GET\.EVENTS)|CONSUMER\.(NAMES\.\*|LIST\.\*|INFO\.\*\.\*)))$/,
      );
    }
  });
});

describe('what holds for every user', () => {
  test('nobody but the gateway may make a request for a user', () => {
    const ask = everybody.filter(([, { publish }]) => publish.some(pattern => overlaps(pattern, 'rpc.v1.user.>')));

    expect(ask.map(([user]) => user)).toEqual(['gateway']);
  });

  test('nobody but gateways may make the requests of gateways, or hears them but who answers', () => {
    const ask = everybody.filter(([, { publish }]) => publish.some(pattern => overlaps(pattern, 'rpc.v1.gateway.>')));

    expect(ask.map(([user]) => user)).toEqual(['gateway']);
    for (const [name, { answeredBy }] of Object.entries<GatewayCallRow>(gatewayCalls)) {
      const hear = everybody.filter(([, { subscribe }]) =>
        subscribe.some(pattern => overlaps(pattern, `rpc.v1.gateway.${name}`)),
      );
      expect(hear.map(([user]) => user)).toEqual([answeredBy, 'developer']);
    }
  });

  test('the back office may make every request of a service, a process those whose row names it, nobody else any', () => {
    for (const [user, { publish }] of everybody) {
      const made = publish.filter(pattern => overlaps(pattern, 'rpc.v1.service.>'));

      expect(made).toEqual(user === 'back-office' ? ['rpc.v1.service.>'] : requestsMadeBy(user));
    }
  });

  test('operations may not watch any subject whose payload carries health data, and no request', () => {
    const withContent = [
      ...(Object.keys(userRequests) as UserRequestName[]).flatMap(subjectsOf),
      ...(Object.keys(deliveries) as DeliveryName[])
        .filter(event => carriesHealthData(deliveries[event].payload))
        .flatMap(event => ['user.*', 'therapist.*', 'all'].map(to => `deliver.v1.${to}.${event.replace(':', '.')}`)),
      'rpc.v1.service.>',
    ];

    expect(withContent).toContain('deliver.v1.user.*.message.received');
    for (const subject of withContent) {
      expect(rights.ops.subscribe.filter(pattern => overlaps(pattern, subject))).toEqual([]);
    }
  });

  test.each(everybody)('%s hears its own inbox, and only the developer those of others', (user, { subscribe }) => {
    expect(subscribe.some(pattern => overlaps(pattern, `${inboxPrefix(user)}.a`))).toBe(true);
    if (user === 'developer') return;
    for (const other of BUS_USERS.filter(name => name !== user)) {
      expect(subscribe.filter(pattern => overlaps(pattern, `${inboxPrefix(other)}.>`))).toEqual([]);
    }
  });

  test.each(everybody)('%s may not remove or change what is stored', (_, { publish }) => {
    for (const verb of ['DELETE', 'PURGE', 'MSG.DELETE', 'SNAPSHOT', 'RESTORE']) {
      expect(publish.filter(pattern => overlaps(pattern, `$JS.API.STREAM.${verb}.EVENTS`))).toEqual([]);
    }
    expect(publish.filter(pattern => overlaps(pattern, '$JS.API.CONSUMER.DELETE.EVENTS.*'))).toEqual([]);
    expect(publish.filter(pattern => overlaps(pattern, '$SYS.>'))).toEqual([]);
  });
});

test('a durable consumer gives its service the right to fetch and acknowledge, and nobody else anything', () => {
  const withConsumer = busRights([CONSUMER]);

  expect(withConsumer['messaging-service'].publish).toEqual([
    ...busRights([])['messaging-service'].publish,
    ...consumed('d'),
  ]);
  for (const user of BUS_USERS.filter(name => name !== 'messaging-service')) {
    expect(withConsumer[user]).toEqual(busRights([])[user]);
  }
  expect(rights).toEqual(busRights(factConsumers()));
});

/** What the consumer of that name may ask and acknowledge. */
function consumed(durable: string): string[] {
  return [
    `$JS.API.CONSUMER.INFO.EVENTS.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${durable}`,
    `$JS.ACK.EVENTS.${durable}.>`,
  ];
}

/** Alone, and in a batch where the table says so. */
function subjectsOf(event: UserRequestName): string[] {
  const { batched }: UserRequestRow = userRequests[event];
  const subject = `rpc.v1.user.${event.replace(':', '.')}`;
  return batched ? [subject, `${subject}-batch`] : [subject];
}

function requestsOf(service: ServiceName): string[] {
  const events = Object.keys(userRequests) as UserRequestName[];
  return events.filter(event => userRequests[event].answeredBy === service).flatMap(subjectsOf);
}

function requestsAnsweredBy(service: ServiceName): string[] {
  const calls = Object.entries<GatewayCallRow>(gatewayCalls).filter(([, row]) => row.answeredBy === service);
  return [
    ...requestsOf(service),
    ...serviceRequestsOf(service),
    ...calls.map(([name]) => `rpc.v1.gateway.${name}`),
  ].map(subject => `${subject} ${service}`);
}

function serviceRequestsOf(service: ServiceName): string[] {
  return Object.entries<ServiceRequestRow>(serviceRequests)
    .filter(([, row]) => row.answeredBy === service)
    .map(([name]) => `rpc.v1.service.${name}`);
}

function requestsMadeBy(user: BusUser): string[] {
  return Object.entries<ServiceRequestRow>(serviceRequests)
    .filter(([, row]) => row.askedBy.some(asker => asker === user))
    .map(([name]) => `rpc.v1.service.${name}`);
}

function factsOf(service: ServiceName): string[] {
  return (Object.keys(facts) as FactName[])
    .filter(fact => facts[fact].publishedBy === service)
    .map(fact => `event.v1.${fact}`);
}

function deliveriesOf(service: ServiceName): string[] {
  return (Object.keys(deliveries) as DeliveryName[])
    .filter(event => deliveries[event].publishedBy === service)
    .flatMap(patternsOf);
}

function patternsOf(event: DeliveryName): string[] {
  const address = { user: 'user.*', therapist: 'therapist.*', all: 'all' };
  return deliveries[event].to.map(kind => `deliver.v1.${address[kind]}.${event.replace(':', '.')}`);
}

/** Whether some subject matches both patterns. */
function overlaps(granted: string, wanted: string): boolean {
  const [left, right] = [granted, wanted].map(pattern => pattern.split(' ')[0]?.split('.') ?? []);
  if (!left || !right) return false;
  for (const [index, token] of left.entries()) {
    const other = right[index];
    if (token === '>' || other === '>') return other !== undefined;
    if (other === undefined || (token !== '*' && other !== '*' && token !== other)) return false;
  }
  return left.length === right.length;
}
