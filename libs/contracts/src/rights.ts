import { batchOf, isBatched } from './batches.ts';
import { carriesHealthData } from './health-data.ts';
import { BUS_USERS, inboxPrefix, SERVICES, type BusUser, type ProcessName, type ServiceName } from './processes.ts';
import { FACTS_STREAM, factConsumers, type FactConsumer } from './stream.ts';
import { ANY_ID, ANY_NAME, buildSubject, type Recipient } from './subjects.ts';
import {
  controls,
  deliveries,
  facts,
  gatewayCalls,
  serviceRequests,
  userRequests,
  type ControlName,
  type DeliveryName,
  type FactName,
  type GatewayCallName,
  type ServiceRequestName,
  type UserRequestName,
} from './table.ts';

/** What a NATS user may publish and subscribe to: that and nothing else. `subject queue` grants one queue group. */
export interface Rights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** The rights of every NATS user, as they follow from the table. */
export function busRights(consumers: readonly FactConsumer[] = factConsumers()): Record<BusUser, Rights> {
  const rights = (user: BusUser): Rights => {
    switch (user) {
      case 'gateway':
        return gatewayRights();
      case 'provisioner':
        return provisionerRights();
      case 'back-office':
        return {
          publish: [buildSubject({ family: 'request', caller: 'service', name: ANY_NAME })],
          subscribe: [inboxOf(user)],
        };
      case 'ops':
        return { publish: DISCOVERY_REQUESTS, subscribe: [...contentFreeSubjects(), ADVISORIES, inboxOf(user)] };
      case 'developer':
        return { publish: [...DISCOVERY_REQUESTS, ...STREAM_REQUESTS], subscribe: ['>'] };
      default:
        return serviceRights(
          user,
          consumers.filter(consumer => consumer.service === user),
        );
    }
  };
  return Object.fromEntries(BUS_USERS.map(user => [user, rights(user)])) as Record<BusUser, Rights>;
}

const inboxOf = (user: BusUser): string => `${inboxPrefix(user)}.>`;

const ADVISORIES = '$JS.EVENT.ADVISORY.>';

const DISCOVERY = ['PING', 'INFO', 'STATS'] as const;

/** What `nats micro` asks. */
const DISCOVERY_REQUESTS: readonly string[] = DISCOVERY.flatMap(verb => [`$SRV.${verb}`, `$SRV.${verb}.>`]);

/**
 * What `nats stream` and `nats consumer` ask to show what is there. For the local developer alone: JetStream
 * answers to whatever subject the caller names, so who may ask could have its answer delivered to a user.
 */
const STREAM_REQUESTS: readonly string[] = [
  '$JS.API.INFO',
  '$JS.API.STREAM.NAMES',
  '$JS.API.STREAM.LIST',
  '$JS.API.STREAM.INFO.*',
  `$JS.API.STREAM.MSG.GET.${FACTS_STREAM}`,
  '$JS.API.CONSUMER.NAMES.*',
  '$JS.API.CONSUMER.LIST.*',
  '$JS.API.CONSUMER.INFO.*.*',
];

function gatewayRights(): Rights {
  return {
    publish: [
      ...(Object.keys(userRequests) as UserRequestName[]).flatMap(userSubjects),
      ...askedBy('gateway'),
      ...gatewayCallsTo(SERVICES),
    ],
    subscribe: [
      ...everyRecipient().map(to => buildSubject({ family: 'delivery', to, name: ANY_NAME })),
      buildSubject({ family: 'control', name: ANY_NAME }),
      inboxOf('gateway'),
    ],
  };
}

/** Where a user's request is made: alone, and in a batch where there is that form. */
function userSubjects(event: UserRequestName): string[] {
  const names = isBatched(event) ? [event, batchOf(event)] : [event];
  return names.map(name => buildSubject({ family: 'request', caller: 'user', name }));
}

/** The service requests that a process of ours makes. */
function askedBy(process: ProcessName): string[] {
  const names = Object.keys(serviceRequests) as ServiceRequestName[];
  return names
    .filter(name => serviceRequests[name].askedBy.some(asker => asker === process))
    .map(name => buildSubject({ family: 'request', caller: 'service', name }));
}

function gatewayCallsTo(services: readonly ServiceName[]): string[] {
  const names = Object.keys(gatewayCalls) as GatewayCallName[];
  return names
    .filter(name => services.includes(gatewayCalls[name].answeredBy))
    .map(name => buildSubject({ family: 'request', caller: 'gateway', name }));
}

/** Whose requests a service answers. */
function askersOf(service: ServiceName): BusUser[] {
  const rows = Object.values(serviceRequests).filter(row => row.answeredBy === service);
  const asking = new Set<BusUser>([...ALWAYS_ASKING, ...rows.flatMap((row): readonly ProcessName[] => row.askedBy)]);
  return BUS_USERS.filter(user => asking.has(user));
}

function serviceRights(service: ServiceName, consumers: readonly FactConsumer[]): Rights {
  const answered = (Object.keys(userRequests) as UserRequestName[]).filter(
    name => userRequests[name].answeredBy === service,
  );
  const answeredForServices = (Object.keys(serviceRequests) as ServiceRequestName[]).filter(
    name => serviceRequests[name].answeredBy === service,
  );
  const delivered = (Object.keys(deliveries) as DeliveryName[]).filter(
    name => deliveries[name].publishedBy === service,
  );
  const published = (Object.keys(facts) as FactName[]).filter(name => facts[name].publishedBy === service);
  const broadcast = (Object.keys(controls) as ControlName[]).filter(name => controls[name].publishedBy === service);
  return {
    publish: [
      ...delivered.flatMap(name =>
        deliveries[name].to.map(kind => buildSubject({ family: 'delivery', to: anyOf(kind), name })),
      ),
      ...published.map(name => buildSubject({ family: 'fact', name })),
      ...broadcast.map(name => buildSubject({ family: 'control', name })),
      // Replies are granted prefix by prefix: with `allow_responses` a caller could have the service
      // publish its answer to a subject of the caller's choice.
      ...askersOf(service).map(inboxOf),
      ...askedBy(service),
      ...consumers.flatMap(({ durable }) => [
        `$JS.API.CONSUMER.INFO.${FACTS_STREAM}.${durable}`,
        `$JS.API.CONSUMER.MSG.NEXT.${FACTS_STREAM}.${durable}`,
        `$JS.ACK.${FACTS_STREAM}.${durable}.>`,
      ]),
    ],
    subscribe: [
      ...answered.flatMap(userSubjects).map(subject => `${subject} ${service}`),
      ...answeredForServices.map(name => `${buildSubject({ family: 'request', caller: 'service', name })} ${service}`),
      ...gatewayCallsTo([service]).map(subject => `${subject} ${service}`),
      ...DISCOVERY.flatMap(verb => [`$SRV.${verb}`, `$SRV.${verb}.${service}`, `$SRV.${verb}.${service}.*`]),
      inboxOf(service),
    ],
  };
}

/** Whose requests every service answers. */
const ALWAYS_ASKING: readonly BusUser[] = ['gateway', 'back-office', 'ops', 'developer'];

function provisionerRights(): Rights {
  return {
    publish: [
      '$JS.API.INFO',
      ...['CREATE', 'UPDATE', 'INFO', 'MSG.GET'].map(verb => `$JS.API.STREAM.${verb}.${FACTS_STREAM}`),
      `$JS.API.CONSUMER.INFO.${FACTS_STREAM}.*`,
      `$JS.API.CONSUMER.DURABLE.CREATE.${FACTS_STREAM}.*`,
      `$JS.API.CONSUMER.CREATE.${FACTS_STREAM}.>`,
    ],
    subscribe: [inboxOf('provisioner')],
  };
}

/** What operations may watch: facts, control, and the deliveries without a field that is health data. */
function contentFreeSubjects(): string[] {
  const bare = (Object.keys(deliveries) as DeliveryName[]).filter(name => !carriesHealthData(deliveries[name].payload));
  return [
    buildSubject({ family: 'fact', name: ANY_NAME }),
    buildSubject({ family: 'control', name: ANY_NAME }),
    ...bare.flatMap(name =>
      deliveries[name].to.map(kind => buildSubject({ family: 'delivery', to: anyOf(kind), name })),
    ),
  ];
}

function everyRecipient(): Recipient<typeof ANY_ID>[] {
  return [anyOf('user'), anyOf('therapist'), anyOf('all')];
}

function anyOf(kind: 'user' | 'therapist' | 'all'): Recipient<typeof ANY_ID> {
  if (kind === 'all') return 'all';
  return kind === 'user' ? { user: ANY_ID } : { therapist: ANY_ID };
}
