import type { FactData } from '@rapport/contracts';
import type { ChangeFactName } from './write-appointments.ts';

type Told = Pick<FactData<ChangeFactName>, 'status' | 'startTime' | 'timeZone' | 'cause' | 'batch'>;

/**
 * A sentence about a change, for a person. It names the time and nobody: who reads it over a shoulder learns no more
 * than that there is an appointment. Of a change to several occurrences, the sentence about the first speaks of all.
 */
export function changeMessage(fact: ChangeFactName, told: Told): string {
  const when = `${shownTime(told.startTime, told.timeZone)} (${told.timeZone})`;
  const { batch } = told;
  if (batch?.position === 1) return `${batch.count} appointments, the first on ${when}, ${several(fact, told)}.`;
  return one(fact, told, when);
}

function one(fact: ChangeFactName, { status, cause }: Told, when: string): string {
  switch (fact) {
    case 'appointment.booked':
      return status === 'confirmed'
        ? `An appointment was booked for ${when}.`
        : `An appointment was requested for ${when}.`;
    case 'appointment.confirmed':
      return `The appointment on ${when} is confirmed.`;
    case 'appointment.cancelled':
      return cause === 'expired'
        ? `The request for an appointment on ${when} was not answered in time and has expired.`
        : `The appointment on ${when} was cancelled.`;
    case 'appointment.rescheduled':
      return status === 'confirmed'
        ? `The appointment was moved to ${when}.`
        : `The appointment was moved to ${when} and waits to be confirmed.`;
    case 'appointment.completed':
      return `The appointment on ${when} is recorded as completed.`;
    case 'appointment.missed':
      return `The appointment on ${when} is recorded as missed.`;
  }
}

function several(fact: ChangeFactName, { status, cause }: Told): string {
  switch (fact) {
    case 'appointment.booked':
      return status === 'confirmed' ? 'were booked' : 'were requested';
    case 'appointment.confirmed':
      return 'are confirmed';
    case 'appointment.cancelled':
      return cause === 'expired' ? 'were not confirmed in time and have expired' : 'were cancelled';
    case 'appointment.rescheduled':
      return status === 'confirmed' ? 'were moved' : 'were moved and wait to be confirmed';
    case 'appointment.completed':
      return 'are recorded as completed';
    case 'appointment.missed':
      return 'are recorded as missed';
  }
}

/** `Monday 23 November 2026 at 09:00` */
function shownTime(startTime: string, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', { ...SHOWN, timeZone }).formatToParts(new Date(startTime));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find(each => each.type === type)?.value ?? '';
  return `${part('weekday')} ${part('day')} ${part('month')} ${part('year')} at ${part('hour')}:${part('minute')}`;
}

const SHOWN = {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
} as const;
