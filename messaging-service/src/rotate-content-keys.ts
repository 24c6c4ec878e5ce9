import { setTimeout as sleep } from 'node:timers/promises';
import { asDates } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import type { Pool } from 'pg';
import { identityOf } from './message.ts';

/** Rows looked at by one statement, and encrypted anew in one: a moment's work. */
const BATCH = 500;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** A row as it was read: of which message, which revision, and the text if it is under another key. */
interface Found {
  readonly id: string;
  readonly conversationId: string;
  readonly revision: number;
  readonly keyId: string;
  readonly sealed: Buffer | null;
}
type Text = Found & { readonly sealed: Buffer };

/** Where texts are stored. */
interface Place {
  /** The rows after `$2` (message) and `$3` (revision), in that order, with the text of those not under key `$1`. */
  readonly find: string;
  /** Replaces the texts that are still as they were read, and passes over those that somebody else is at. */
  readonly replace: string;
}

const TEXTS = 'unnest($1::uuid[], $2::int[], $3::text[], $4::bytea[]) as k (id, revision, key_id, sealed)';

/** The texts in force, and the earlier ones. */
const PLACES: readonly Place[] = [
  {
    find: `select m.id, m.conversation_id as "conversationId", m.revision, m.key_id as "keyId",
                  case when m.key_id <> $1 then m.sealed end as sealed
             from message m where m.id > $2 and $3 >= -1 order by m.id limit ${BATCH}`,
    replace: `with free as (
                select m.id, k.sealed from message m join ${TEXTS}
                    on m.id = k.id and m.revision = k.revision and m.key_id = k.key_id
                 for update of m skip locked)
              update message m set sealed = free.sealed, key_id = $5 from free where m.id = free.id`,
  },
  {
    find: `select r.message_id as id, m.conversation_id as "conversationId", r.revision, r.key_id as "keyId",
                  case when r.key_id <> $1 then r.sealed end as sealed
             from message_revision r join message m on m.id = r.message_id
            where (r.message_id, r.revision) > ($2, $3) order by r.message_id, r.revision limit ${BATCH}`,
    replace: `with free as (
                select r.message_id, r.revision, k.sealed from message_revision r join ${TEXTS}
                    on r.message_id = k.id and r.revision = k.revision and r.key_id = k.key_id
                 for update of r skip locked)
              update message_revision r set sealed = free.sealed, key_id = $5 from free
               where r.message_id = free.message_id and r.revision = free.revision`,
  },
];

/**
 * Encrypts with the current key what is encrypted with another, batch by batch, until nothing is left. A text that
 * changes meanwhile is left alone: what replaced it is encrypted with the current key already. It may be interrupted
 * at any time and begun again, and several at once do no harm. It rests for as long as it works.
 * @param progress told after every batch how many texts it has encrypted anew
 * @throws when a text does not open: its key is not configured, or the row was tampered with
 */
export async function rotateContentKeys(pool: Pool, seal: Seal, progress: (rotated: number) => void): Promise<void> {
  let rotated = 0;
  const tell = (count: number): void => progress((rotated += count));
  // Again until there was nothing to do: an edit may have put a text among the earlier ones behind us.
  for (let found = true; found;) {
    found = false;
    for (const place of PLACES) {
      if (await walk(pool, seal, place, tell)) found = true;
    }
  }
}

/** @returns whether there was a text under another key */
async function walk(pool: Pool, seal: Seal, place: Place, tell: (rotated: number) => void): Promise<boolean> {
  let foundAny = false;
  let [id, revision] = [NIL_UUID, -1];
  for (;;) {
    const started = performance.now();
    const { rows } = await pool.query<Found>({
      text: place.find,
      types: asDates,
      values: [seal.currentKeyId, id, revision],
    });
    const texts = rows.filter((row): row is Text => row.sealed !== null);
    if (texts.length > 0) {
      foundAny = true;
      tell(await replace(pool, seal, place, texts));
    }
    const last = rows.at(-1);
    if (!last) return foundAny;
    ({ id, revision } = last);
    await sleep(performance.now() - started);
  }
}

async function replace(pool: Pool, seal: Seal, place: Place, texts: readonly Text[]): Promise<number> {
  const anew = texts.map(text => {
    const identity = identityOf(text);
    return seal.close(seal.open(text.sealed, text.keyId, identity), identity).sealed;
  });
  const result = await pool.query({
    text: place.replace,
    values: [
      texts.map(text => text.id),
      texts.map(text => text.revision),
      texts.map(text => text.keyId),
      anew,
      seal.currentKeyId,
    ],
  });
  return result.rowCount ?? 0;
}
