import { LockMode, type EntityManager } from '@mikro-orm/postgresql';
import type { ServiceRequest } from '@rapport/bus';
import { AppError, type Relationship, type ServiceActor } from '@rapport/contracts';
import { newId } from '@rapport/service';
import {
  inUnitOfWork,
  newFact,
  persistFact,
  type Database,
  type Outbox,
  type OutboxFact,
} from '@rapport/service/database';
import type { TellContacts } from './tell-contacts.ts';
import { RelationshipChangeEntity, RelationshipEntity, toRelationship, type RelationshipRow } from './relationship.ts';

interface ChangeRelationshipOptions {
  orm: Database['orm'];
  outbox: Outbox;
  tellContacts: TellContacts;
}

interface Pair {
  clientUserId: string;
  therapistUserId: string;
}

/** Begins a care relationship: the two may write to each other from now on. */
export function createLinkRelationship(options: ChangeRelationshipOptions) {
  return ({ actor, input }: ServiceRequest<'relationship.link'>): Promise<Relationship> =>
    change(options, input, true, actor);
}

/** Ends it: from now on they may not. @throws AppError `NOT_FOUND` when there never was one */
export function createEndRelationship(options: ChangeRelationshipOptions) {
  return ({ actor, input }: ServiceRequest<'relationship.end'>): Promise<Relationship> =>
    change(options, input, false, actor);
}

async function change(
  { orm, outbox, tellContacts }: ChangeRelationshipOptions,
  pair: Pair,
  linked: boolean,
  actor: ServiceActor,
): Promise<Relationship> {
  const { row, news } = await inUnitOfWork(orm, async em => {
    const known = await lockPair(em, pair, linked);
    if (!known) throw new AppError('NOT_FOUND', 'the two never had a care relationship');
    if (known.linked === linked) return { row: known, news: undefined };
    return { row: known, news: write(em, known, linked, actor) };
  });
  if (news) {
    tellContacts(news.data);
    outbox.publish(news);
  }
  return toRelationship(row);
}

/** The row of the pair, made when it is to be linked, and locked until the transaction ends. */
async function lockPair(em: EntityManager, pair: Pair, make: boolean): Promise<RelationshipRow | null> {
  if (make) {
    await em
      .createQueryBuilder(RelationshipEntity)
      .insert({ id: newId(), ...pair, linked: false, version: 0, since: new Date() })
      .onConflict(['clientUserId', 'therapistUserId'])
      .ignore()
      .execute();
  }
  return em.findOne(RelationshipEntity, pair, { lockMode: LockMode.PESSIMISTIC_WRITE });
}

function write(
  em: EntityManager,
  row: RelationshipRow,
  linked: boolean,
  { service, onBehalfOf }: ServiceActor,
): OutboxFact<'relationship.changed'> {
  const now = new Date();
  row.linked = linked;
  row.version += 1;
  if (linked) row.since = now;
  row.endedAt = linked ? null : now;
  const { id: relationshipId, clientUserId, therapistUserId, version } = row;
  const state = { relationshipId, version, linked };
  em.create(RelationshipChangeEntity, { ...state, changedAt: now, service, onBehalfOf: onBehalfOf ?? null });
  const data = { ...state, clientUserId, therapistUserId, changedAt: now.toISOString() };
  const news = newFact('relationship.changed', data, now);
  persistFact(em, news);
  return news;
}
