import { inDatabase } from '../messaging/databases.ts';

/** Begins the care relationships of `pair0a` with `pair0b` and so on, in the messaging service's own database. */
export async function linkPairs(databaseUrl: string, pairs: number): Promise<void> {
  await inDatabase(databaseUrl, async client => {
    await client.query(
      `insert into care_relationship (id, client_user_id, therapist_user_id, linked, version, since)
       select gen_random_uuid(), 'pair' || pair || 'a', 'pair' || pair || 'b', true, 1, now()
         from generate_series(0, $1 - 1) as pair on conflict do nothing`,
      [pairs],
    );
  });
}
