import { v5 as uuidv5 } from 'uuid';
import type { AppointmentRow } from './appointment.ts';

const RECIPIENTS = ['client', 'therapist'] as const;
export type Recipient = (typeof RECIPIENTS)[number];

/** A reminder that is to be sent. */
export interface PlannedReminder {
  readonly id: string;
  readonly appointmentId: string;
  readonly version: number;
  readonly offsetMinutes: number;
  readonly recipient: Recipient;
  readonly dueAt: Date;
}

/** Of the ids of reminders; chosen at random once. */
const NAMESPACE = '6a0e6b0c-2f5e-4f0b-9c1b-9a2f5f3f7d51';
const MINUTE_MS = 60_000;

/**
 * The reminders of a confirmed appointment, those that are due already too: of them the sender sends one.
 * The id follows from what makes a reminder unique, so that both parties know it by the same.
 */
export function planReminders(
  row: Pick<AppointmentRow, 'id' | 'version' | 'startAt'>,
  offsetsMinutes: Readonly<Record<Recipient, readonly number[]>>,
): PlannedReminder[] {
  return RECIPIENTS.flatMap(recipient =>
    [...new Set(offsetsMinutes[recipient])].map(offsetMinutes => ({
      id: uuidv5(`${row.id}/${row.version}/${offsetMinutes}`, NAMESPACE),
      appointmentId: row.id,
      version: row.version,
      offsetMinutes,
      recipient,
      dueAt: new Date(row.startAt.getTime() - offsetMinutes * MINUTE_MS),
    })),
  );
}

/** What is to become of a reminder that is due. */
export type ReminderDecision = 'send' | 'superseded' | 'suppressed-late' | 'suppressed-collapsed';

/** All that the decision depends on. */
export interface DueReminder {
  readonly version: number;
  /** Whether a later reminder of the same version and recipient is due by now too. */
  readonly isOvertaken: boolean;
  readonly appointment: Pick<AppointmentRow, 'status' | 'version' | 'startAt'>;
}

/** A reminder that comes late is sent as long as the appointment is still to come, and only the latest of several. */
export function decideReminder({ version, isOvertaken, appointment }: DueReminder, now: Date): ReminderDecision {
  if (appointment.status !== 'confirmed' || appointment.version !== version) return 'superseded';
  if (now >= appointment.startAt) return 'suppressed-late';
  return isOvertaken ? 'suppressed-collapsed' : 'send';
}

/** Rounded to the nearest minute. */
export function minutesUntil(startAt: Date, now: Date): number {
  return Math.max(0, Math.round((startAt.getTime() - now.getTime()) / MINUTE_MS));
}
