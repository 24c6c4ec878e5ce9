/**
 * The types of the product itself. Each has its texts in `texts/`, so that it can be shown in the language of its
 * user at any time; services may use any other type with a text of their own.
 */
const OWN_TYPES = [
  'MESSAGE_RECEIVED',
  'RELATIONSHIP_STARTED',
  'RELATIONSHIP_ENDED',
  'APPOINTMENT_REQUESTED',
  'APPOINTMENT_BOOKED',
  'APPOINTMENT_CONFIRMED',
  'APPOINTMENT_CANCELLED',
  'APPOINTMENT_EXPIRED',
  'APPOINTMENT_RESCHEDULED',
  'APPOINTMENT_CHANGE_REQUESTED',
  'APPOINTMENT_COMPLETED',
  'APPOINTMENT_MISSED',
  'APPOINTMENT_REMINDER',
] as const;
export type OwnType = (typeof OWN_TYPES)[number];

export function isOwnType(type: string): type is OwnType {
  return (OWN_TYPES as readonly string[]).includes(type);
}
