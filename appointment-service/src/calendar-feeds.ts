import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Actor, PublicPage } from '@rapport/contracts';
import type { Database } from '@rapport/service/database';
import type { Pool } from 'pg';
import { AppointmentEntity, asRow, type AppointmentRow } from './appointment.ts';
import { ownTherapistId } from './caller.ts';
import { horizonOf } from './limits.ts';
import { etagOf, isKnown, renderCalendar } from './render-calendar.ts';
import { userOfTherapist } from './therapists.ts';

/** The address of a user's calendar: whoever knows the secret may read it. Only its hash is stored. */
export const CalendarFeedEntity = defineEntity({
  name: 'CalendarFeed',
  tableName: 'calendar_feed',
  uniques: [{ name: 'calendar_feed_secret', properties: ['secretHash'] }],
  properties: {
    userId: p.text().primary(),
    /** Of a therapist: whose appointments are in it too. */
    therapistId: p.text().nullable(),
    secretHash: p.blob(),
    createdAt: p.datetime(3),
  },
});

type Feed = Pick<InferEntity<typeof CalendarFeedEntity>, 'userId' | 'therapistId'>;

/** As many random bits as a key: nobody finds one by trying, so its hash needs neither salt nor key. */
const SECRET_BYTES = 32;
const DAY_MS = 24 * 60 * 60 * 1_000;
/** How far back a calendar goes. */
const PAST_MS = 90 * DAY_MS;
/** What a busy therapist has in two years; all of it packed is well below what NATS carries. */
const MAX_EVENTS = 10_000;

interface FeedOptions {
  orm: Database['orm'];
  now: () => Date;
}

/**
 * Makes the address of the caller's feed: a path on the gateways where their public address is not configured.
 * One at a time: an address that got into wrong hands ends with the next.
 */
export function createCalendarFeed({ orm, now, publicUrl = '' }: FeedOptions & { publicUrl: string | undefined }) {
  return async (actor: Actor): Promise<{ url: string }> => {
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    await orm.em.fork().upsert(CalendarFeedEntity, {
      userId: actor.userId,
      therapistId: actor.role === 'therapist' ? ownTherapistId(actor) : null,
      secretHash: hashOf(secret),
      createdAt: now(),
    });
    return { url: `${publicUrl.replace(/\/+$/, '')}/calendar/${secret}.ics` };
  };
}

export function createRevokeFeed({ orm }: Pick<FeedOptions, 'orm'>) {
  return async ({ userId }: Actor): Promise<Record<string, never>> => {
    await orm.em.fork().nativeDelete(CalendarFeedEntity, { userId });
    return {};
  };
}

/** The calendar behind a secret, for whoever asks; the same answer for one that is revoked and one that never was. */
export function createReadFeed({ orm, pool, now }: FeedOptions & { pool: Pool }) {
  return async ({ secret, ifNoneMatch }: { secret: string; ifNoneMatch?: string | undefined }): Promise<PublicPage> => {
    const em = orm.em.fork();
    const feed = await em.findOne(CalendarFeedEntity, { secretHash: hashOf(secret) });
    if (!feed) return { status: 404 };
    const at = now();
    const room = await roomOf(pool, feed);
    const rows = await em.find(
      AppointmentEntity,
      {
        $or: [{ clientId: feed.userId }, ...(room === undefined ? [] : [{ therapistId: room }])],
        startAt: { $gte: new Date(at.getTime() - PAST_MS), $lte: horizonOf(at) },
      },
      { orderBy: { startAt: 'asc', id: 'asc' }, limit: MAX_EVENTS },
    );
    return pageOf(rows.map(asRow), ifNoneMatch);
  };
}

/** The room of a therapist, unless a profile says by now that it is somebody else's. */
async function roomOf(pool: Pool, feed: Feed): Promise<string | undefined> {
  if (feed.therapistId == null) return undefined;
  const owner = await userOfTherapist(pool, feed.therapistId);
  // Where no profile names the room, its owner is called as it is.
  return owner === feed.userId || owner === feed.therapistId ? feed.therapistId : undefined;
}

function pageOf(rows: readonly AppointmentRow[], ifNoneMatch: string | undefined): PublicPage {
  const calendar = renderCalendar(rows);
  const etag = etagOf(calendar);
  if (isKnown(ifNoneMatch, etag)) return { status: 304, etag };
  return {
    status: 200,
    etag,
    contentType: 'text/calendar; charset=utf-8',
    gzipped: gzipSync(calendar).toString('base64'),
  };
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
