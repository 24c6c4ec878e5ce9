import type { PoolClient } from 'pg';
import type { AppointmentRow } from './appointment.ts';
import { planReminders, type PlannedReminder } from './plan-reminders.ts';

interface Reminded {
  readonly clientUserId: string;
  readonly therapistUserId: string;
  readonly defaultOffsets: readonly number[];
}

/** Lays down the reminders of appointments that are confirmed, all of the same two people. */
export async function remind(
  client: PoolClient,
  rows: readonly AppointmentRow[],
  { clientUserId, therapistUserId, defaultOffsets }: Reminded,
): Promise<void> {
  if (rows.length === 0) return;
  const chosen = await chosenOffsets(client, [clientUserId, therapistUserId]);
  const offsets = {
    client: chosen.get(clientUserId) ?? defaultOffsets,
    therapist: chosen.get(therapistUserId) ?? defaultOffsets,
  };
  await insertReminders(
    client,
    rows.flatMap(row => planReminders(row, offsets)),
  );
}

/** What these users have chosen; who has chosen nothing is not in it. */
export async function chosenOffsets(
  client: PoolClient,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const result = await client.query<{ userId: string; offsets: number[] }>({
    name: 'reminder-offsets',
    text: `select user_id as "userId", offsets_minutes as offsets from reminder_preference where user_id = any($1)`,
    values: [userIds],
  });
  return new Map(result.rows.map(({ userId, offsets }) => [userId, offsets]));
}

/** One that is there already, superseded by a change of mind, is waited for again. */
export async function insertReminders(client: PoolClient, reminders: readonly PlannedReminder[]): Promise<void> {
  if (reminders.length === 0) return;
  const rows = reminders.map(each => ({
    appointment_id: each.appointmentId,
    version: each.version,
    offset_minutes: each.offsetMinutes,
    recipient: each.recipient,
    id: each.id,
    due_at: each.dueAt,
  }));
  await client.query({
    name: 'reminder-insert',
    text: `insert into reminder (appointment_id, version, offset_minutes, recipient, id, due_at)
           select appointment_id, version, offset_minutes, recipient, id, due_at
             from jsonb_populate_recordset(null::reminder, $1)
           on conflict (appointment_id, version, offset_minutes, recipient)
             do update set outcome = null, decided_at = null where reminder.outcome = 'superseded'`,
    values: [JSON.stringify(rows)],
  });
}

/**
 * Nothing more is sent of what was planned for earlier versions. Waits for a replica that is sending one of them:
 * once this has committed, none is on its way.
 */
export async function supersedeReminders(
  client: PoolClient,
  rows: readonly AppointmentRow[],
  now: Date,
): Promise<void> {
  await client.query({
    name: 'reminder-supersede',
    text: `update reminder set outcome = 'superseded', decided_at = $2
            where appointment_id = any($1) and outcome is null`,
    values: [rows.map(({ id }) => id), now],
  });
}
