import { deliver, pingBus, type Bus } from '@rapport/bus';
import { asDates, insertFacts, inTransaction, newFact, type Outbox, type OutboxFact } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import type { AppointmentRow } from './appointment.ts';
import { decideReminder, minutesUntil, type DueReminder, type Recipient } from './plan-reminders.ts';
import type { TherapistNames } from './therapist-names.ts';

/** Claimed at once: as many as are sent and marked in a fraction of a second, so that replicas share a burst. */
const BATCH = 500;

export interface ReminderOptions {
  bus: Bus;
  pool: Pool;
  outbox: Outbox;
  names: TherapistNames;
  /** Told how many reminders of a batch had which outcome. */
  counted: (outcome: string, count: number) => void;
}

/**
 * Sends what is due, batch by batch until nothing is left. Any number of replicas may do so at once: a claimed
 * reminder is locked until its outcome is committed, and free again the moment its replica dies. Killed between
 * sending and committing, a replica leaves reminders that come once more, under the same `reminderId`.
 */
export async function sendDueReminders(
  options: ReminderOptions,
  now: () => Date,
  stopping?: AbortSignal,
): Promise<void> {
  while (!stopping?.aborted && (await sendBatch(options, now)) === BATCH) continue;
}

type Due = DueReminder &
  Pick<AppointmentRow, 'clientId' | 'therapistId' | 'therapistName' | 'timeZone'> & {
    readonly id: string;
    readonly appointmentId: string;
    readonly offsetMinutes: number;
    readonly recipient: Recipient;
    readonly therapistUserId: string;
  };

async function sendBatch(options: ReminderOptions, now: () => Date): Promise<number> {
  const { bus, pool, outbox, counted } = options;
  // What is published without a connection is kept, and all of it would go out once there is one again.
  await pingBus(bus);
  const { facts, outcomes } = await inTransaction(pool, client => decideBatch(client, options, now));
  for (const fact of facts) outbox.publish(fact);
  for (const outcome of new Set(outcomes)) counted(outcome, outcomes.filter(each => each === outcome).length);
  return outcomes.length;
}

async function decideBatch(client: PoolClient, { bus, names }: ReminderOptions, now: () => Date) {
  const due = await claimDue(client, now());
  if (due.length === 0) return { facts: [], outcomes: [] };
  const nameOf = await names.of(due);
  const at = now();
  const decided = due.map(reminder => ({ reminder, decision: decideReminder(reminder, at) }));
  const sent = decided.flatMap(({ reminder, decision }) => (decision === 'send' ? [reminder] : []));
  for (const reminder of sent) send(bus, reminder, nameOf(reminder), at);
  // The server has them all: what is marked as sent from here on was sent.
  await pingBus(bus);
  const facts = sent.map(reminder => factOf(reminder, at));
  await insertFacts(client, facts);
  const outcomes = decided.map(({ decision }) => (decision === 'send' ? 'sent' : decision));
  await markDecided(client, due, outcomes, at);
  return { facts, outcomes };
}

async function claimDue(client: PoolClient, now: Date): Promise<Due[]> {
  const result = await client.query<Due & { status: AppointmentRow['status']; currentVersion: number; startAt: Date }>({
    name: 'reminder-claim',
    text: `select r.id, r.appointment_id as "appointmentId", r.version, r.offset_minutes as "offsetMinutes", r.recipient,
                  a.status, a.version as "currentVersion", a.start_at as "startAt", a.client_id as "clientId",
                  a.therapist_id as "therapistId", a.therapist_name as "therapistName", a.time_zone as "timeZone",
                  coalesce((select user_id from therapist t where t.therapist_id = a.therapist_id
                             order by t.version desc, t.user_id limit 1), a.therapist_id) as "therapistUserId",
                  exists (select from reminder later
                           where later.appointment_id = r.appointment_id and later.version = r.version
                             and later.recipient = r.recipient and later.offset_minutes < r.offset_minutes
                             and later.due_at <= $1 and later.outcome is distinct from 'superseded') as "isOvertaken"
             from reminder r join appointment a on a.id = r.appointment_id
            where r.outcome is null and r.due_at <= $1
            order by r.due_at limit $2 for update of r skip locked`,
    types: asDates,
    values: [now, BATCH],
  });
  return result.rows.map(({ status, currentVersion, startAt, ...row }) => ({
    ...row,
    appointment: { status, version: currentVersion, startAt },
  }));
}

function send(bus: Bus, reminder: Due, therapistName: string, now: Date): void {
  const { startAt } = reminder.appointment;
  const to = reminder.recipient === 'client' ? { user: reminder.clientId } : { therapist: reminder.therapistId };
  deliver(bus, to, 'appointment:reminder', {
    id: reminder.appointmentId,
    therapistName,
    startTime: startAt.toISOString(),
    minutesUntil: minutesUntil(startAt, now),
    reminderId: reminder.id,
  });
}

function factOf(reminder: Due, now: Date): OutboxFact<'reminder.sent'> {
  const { startAt } = reminder.appointment;
  return newFact(
    'reminder.sent',
    {
      reminderId: reminder.id,
      appointmentId: reminder.appointmentId,
      version: reminder.version,
      recipient: reminder.recipient,
      userId: reminder.recipient === 'client' ? reminder.clientId : reminder.therapistUserId,
      startTime: startAt.toISOString(),
      timeZone: reminder.timeZone,
      minutesUntil: minutesUntil(startAt, now),
      sentAt: now.toISOString(),
    },
    now,
  );
}

async function markDecided(
  client: PoolClient,
  due: readonly Due[],
  outcomes: readonly string[],
  now: Date,
): Promise<void> {
  await client.query({
    name: 'reminder-decide',
    text: `update reminder r set outcome = d.outcome, decided_at = $1
             from unnest($2::uuid[], $3::int[], $4::int[], $5::text[], $6::text[])
                    as d (appointment_id, version, offset_minutes, recipient, outcome)
            where r.appointment_id = d.appointment_id and r.version = d.version
              and r.offset_minutes = d.offset_minutes and r.recipient = d.recipient`,
    values: [
      now,
      due.map(({ appointmentId }) => appointmentId),
      due.map(({ version }) => version),
      due.map(({ offsetMinutes }) => offsetMinutes),
      due.map(({ recipient }) => recipient),
      outcomes,
    ],
  });
}
