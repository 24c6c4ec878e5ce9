import {
  BUS_USERS,
  buildSubject,
  carriesHealthData,
  deliveries,
  facts,
  gatewayCalls,
  inboxPrefix,
  SERVICES,
  serviceRequests,
  userRequests,
  type BusUser,
  type DeliveryName,
  type FactName,
  type GatewayCallRow,
  type Recipient,
  type ServiceRequestRow,
  type UserRequestName,
  type UserRequestRow,
} from '@rapport/contracts';
import { CONSUMER } from './kit.ts';

// Every subject of every family with those who may use it, said a second time and in another way than
// in the contracts: there it is what a user may do, here who may do a thing. Nobody else may.

export interface SubjectCase {
  readonly subject: string;
  readonly queue?: string;
  readonly allowed: readonly BusUser[];
}

const OBSERVERS: readonly BusUser[] = ['ops', 'developer'];
/** Whose requests the services answer. */
const ASKERS: readonly BusUser[] = ['gateway', 'back-office', 'ops', 'developer'];
const NOBODY: readonly BusUser[] = [];

const requests = (Object.keys(userRequests) as UserRequestName[]).flatMap(event => {
  const { batched, answeredBy }: UserRequestRow = userRequests[event];
  return [event, ...(batched ? [`${event}-batch`] : [])].map(name => ({
    subject: buildSubject({ family: 'request', caller: 'user', name }),
    service: answeredBy as BusUser,
  }));
});
const serviceRequestCases = Object.entries<ServiceRequestRow>(serviceRequests).map(([name, row]) => ({
  subject: buildSubject({ family: 'request', caller: 'service', name }),
  service: row.answeredBy as BusUser,
  askers: ['back-office', ...row.askedBy] as readonly BusUser[],
}));
const gatewayCallCases = Object.entries<GatewayCallRow>(gatewayCalls).map(([name, row]) => ({
  subject: buildSubject({ family: 'request', caller: 'gateway', name }),
  service: row.answeredBy as BusUser,
}));
const published = (Object.keys(facts) as FactName[]).map(name => ({
  subject: buildSubject({ family: 'fact', name }),
  service: facts[name].publishedBy as BusUser,
}));
const recipients: Record<'user' | 'therapist' | 'all', Recipient> = {
  user: { user: 'bob' },
  therapist: { therapist: 'bob' },
  all: 'all',
};
const delivered = (Object.keys(deliveries) as DeliveryName[]).flatMap(name =>
  (['user', 'therapist', 'all'] as const).map(kind => ({
    subject: buildSubject({ family: 'delivery', to: recipients[kind], name }),
    service: deliveries[name].publishedBy as BusUser,
    isInTable: (deliveries[name].to as readonly string[]).includes(kind),
    isContentFree: !carriesHealthData(deliveries[name].payload),
  })),
);

/** The services that somebody's replies come from. */
function answerersOf(user: BusUser): BusUser[] {
  return SERVICES.filter(
    service =>
      ASKERS.includes(user) ||
      serviceRequestCases.some(request => request.service === service && request.askers.includes(user)),
  );
}

function cases(allowed: readonly BusUser[], ...subjects: string[]): SubjectCase[] {
  return subjects.map(subject => ({ subject, allowed }));
}

export function publishCases(): SubjectCase[] {
  return [
    ...requests.flatMap(({ subject }) => cases(['gateway'], subject)),
    ...serviceRequestCases.flatMap(({ subject, askers }) => cases(askers, subject)),
    ...gatewayCallCases.flatMap(({ subject }) => cases(['gateway'], subject)),
    ...cases(NOBODY, 'rpc.v1.gateway.no.such-request'),
    ...cases(['back-office'], 'rpc.v1.service.no.such-request'),
    ...delivered.flatMap(({ subject, service, isInTable }) => cases(isInTable ? [service] : NOBODY, subject)),
    ...published.flatMap(({ subject, service }) => cases([service], subject)),
    ...BUS_USERS.flatMap(user => cases(answerersOf(user), `${inboxPrefix(user)}.a.b`)),
    ...cases(OBSERVERS, ...['PING', 'INFO', 'STATS'].flatMap(verb => [`$SRV.${verb}`, `$SRV.${verb}.gateway.x`])),
    ...cases(
      ['provisioner', 'developer'],
      '$JS.API.INFO',
      '$JS.API.STREAM.INFO.EVENTS',
      '$JS.API.STREAM.MSG.GET.EVENTS',
    ),
    ...cases(['provisioner'], '$JS.API.STREAM.CREATE.EVENTS', '$JS.API.STREAM.UPDATE.EVENTS'),
    ...cases(['provisioner'], '$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.x', '$JS.API.CONSUMER.CREATE.EVENTS.x'),
    ...cases(['developer'], '$JS.API.STREAM.NAMES', '$JS.API.STREAM.LIST'),
    ...cases(['developer'], '$JS.API.CONSUMER.NAMES.EVENTS', '$JS.API.CONSUMER.LIST.EVENTS'),
    ...cases(['provisioner', 'messaging-service', 'developer'], `$JS.API.CONSUMER.INFO.EVENTS.${CONSUMER.durable}`),
    ...cases([CONSUMER.service], `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${CONSUMER.durable}`),
    ...cases([CONSUMER.service], `$JS.ACK.EVENTS.${CONSUMER.durable}.1.1.1.1.1`),
    ...cases(NOBODY, ...OUT_OF_REACH, '$JS.API.CONSUMER.MSG.NEXT.EVENTS.other', '$JS.ACK.EVENTS.other.1.1.1.1.1'),
    ...cases(['presence-service'], 'control.v1.session.revoked'),
    ...cases(NOBODY, ...NOT_IN_THE_TABLE, 'control.v1.no.such-control'),
  ];
}

export function subscribeCases(): SubjectCase[] {
  return [
    ...[...requests, ...serviceRequestCases, ...gatewayCallCases].flatMap(({ subject, service }) => [
      ...cases(['developer'], subject),
      { subject, queue: service, allowed: [service, 'developer'] as const },
      { subject, queue: 'another', allowed: ['developer'] as const },
    ]),
    ...cases(['developer'], '>', '*', '*.v1.>', 'rpc.>', 'deliver.>', 'event.>', 'control.>', '_INBOX.>', '_INBOX_*.>'),
    ...cases(
      ['developer'],
      'rpc.v1.service.>',
      'rpc.v1.user.>',
      'rpc.v1.gateway.>',
      'deliver.v1.>',
      ...NOT_IN_THE_TABLE.slice(0, 2),
    ),
    ...delivered.flatMap(({ subject, isInTable, isContentFree }) =>
      cases(['gateway', 'developer', ...(isInTable && isContentFree ? (['ops'] as const) : [])], subject),
    ),
    ...cases(['gateway', 'developer'], 'deliver.v1.user.*.>', 'deliver.v1.therapist.*.>', 'deliver.v1.all.>'),
    ...published.flatMap(({ subject }) => cases(OBSERVERS, subject)),
    ...cases(OBSERVERS, 'event.v1.>', '$JS.EVENT.ADVISORY.>'),
    ...cases(['gateway', ...OBSERVERS], 'control.v1.>', 'control.v1.session.revoked'),
    ...BUS_USERS.flatMap(user => cases([user, 'developer'], `${inboxPrefix(user)}.>`, `${inboxPrefix(user)}.a.b`)),
    ...cases([...SERVICES, 'developer'], '$SRV.PING', '$SRV.STATS'),
    ...SERVICES.flatMap(service => cases([service, 'developer'], `$SRV.INFO.${service}`)),
    ...cases(['developer'], '$SRV.>', '$SRV.PING.gateway', '$JS.>', '$JS.API.>', '$JS.ACK.>', '$SYS.>', '_R_.>'),
  ];
}

/** What changes or copies the streams, and what belongs to the server: none of our users needs any of it. */
const OUT_OF_REACH = [
  '$JS.API.STREAM.CREATE.OTHER',
  '$JS.API.STREAM.UPDATE.OTHER',
  ...['DELETE', 'PURGE', 'SNAPSHOT', 'RESTORE'].map(verb => `$JS.API.STREAM.${verb}.EVENTS`),
  '$JS.API.STREAM.MSG.DELETE.EVENTS',
  '$JS.API.STREAM.MSG.GET.OTHER',
  '$JS.API.STREAM.PEER.REMOVE.EVENTS',
  '$JS.API.STREAM.LEADER.STEPDOWN.EVENTS',
  '$JS.API.STREAM.TEMPLATE.CREATE.x',
  '$JS.API.DIRECT.GET.EVENTS',
  '$JS.API.CONSUMER.CREATE.OTHER.x',
  `$JS.API.CONSUMER.DELETE.EVENTS.${CONSUMER.durable}`,
  `$JS.API.CONSUMER.PAUSE.EVENTS.${CONSUMER.durable}`,
  '$JS.API.META.LEADER.STEPDOWN',
  '$JS.API.SERVER.REMOVE',
  '$JS.API.ACCOUNT.PURGE.RAPPORT',
  '$JS.FC.EVENTS.x.y',
  '$JS.EVENT.ADVISORY.API',
  '$SYS.REQ.SERVER.PING',
  '$SYS.REQ.ACCOUNT.RAPPORT.CONNZ',
  '_R_.x',
];

const NOT_IN_THE_TABLE = [
  'rpc.v1.user.no.such-event',
  'rpc.v2.user.message.send',
  'rpc.v1.user.message.send.more',
  'deliver.v1.user.bob.no.such-event',
  'event.v1.no.such-fact',
  'anything.else',
];
