import { createHash } from 'node:crypto';
import ical, { ICalCalendarMethod, ICalEventClass, ICalEventStatus, ICalEventTransparency } from 'ical-generator';
import type { AppointmentRow } from './appointment.ts';

/** What strangers may see over a shoulder. */
const TITLE = 'Appointment';

const STATUSES: Readonly<Record<AppointmentRow['status'], ICalEventStatus>> = {
  requested: ICalEventStatus.TENTATIVE,
  confirmed: ICalEventStatus.CONFIRMED,
  completed: ICalEventStatus.CONFIRMED,
  'no-show': ICalEventStatus.CONFIRMED,
  cancelled: ICalEventStatus.CANCELLED,
};

/**
 * A calendar of RFC 5545. The same rows give the same bytes. Every occurrence is an event of its own with a UID that
 * stays, so that one that was moved or cancelled by itself needs no exception; cancelled ones are kept, because a
 * calendar that leaves them out would leave them standing.
 */
export function renderCalendar(rows: readonly AppointmentRow[]): string {
  const calendar = ical({
    prodId: { company: 'Rapport', product: 'Appointments', language: 'EN' },
    name: 'Appointments',
    method: ICalCalendarMethod.PUBLISH,
    ttl: 60 * 60,
  });
  for (const row of rows) {
    calendar.createEvent({
      id: `${row.id}@rapport`,
      sequence: row.version,
      stamp: row.updatedAt,
      created: row.createdAt,
      lastModified: row.updatedAt,
      start: row.startAt,
      end: row.endAt,
      summary: TITLE,
      status: STATUSES[row.status],
      class: ICalEventClass.PRIVATE,
      transparency: row.status === 'cancelled' ? ICalEventTransparency.TRANSPARENT : ICalEventTransparency.OPAQUE,
    });
  }
  return calendar.toString();
}

/** A validator of RFC 9110; weak, because a gateway may send the calendar packed or not. */
export function etagOf(body: string): string {
  return `W/"${createHash('sha256').update(body).digest('base64url')}"`;
}

/** Whether what a client has is still right: `If-None-Match` of RFC 9110, section 13.1.2. */
export function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '');
  const known = ifNoneMatch?.split(',').map(opaque) ?? [];
  return known.includes(opaque(etag)) || known.includes('*');
}
