import { z } from 'zod';
import { healthData } from './health-data.ts';
import { Id, Timestamp } from './ids.ts';
import { ROLES } from './identity.ts';
import { NoInput } from './inputs.ts';
import { PublicPage } from './public-page.ts';
import { Recurrence } from './recurrence.ts';
import type { DeliveryRow, FactRow, GatewayCallRow, ServiceRequestRow, UserRequestRow } from './rows.ts';
import { TimeZone } from './time-zone.ts';
import { Text } from './text.ts';

const APPOINTMENT_STATUSES = ['requested', 'confirmed', 'cancelled', 'completed', 'no-show'] as const;
export type AppointmentStatus = (typeof APPOINTMENT_STATUSES)[number];

const SCOPES = ['this', 'following', 'all'] as const;
export type Scope = (typeof SCOPES)[number];

const Status = z.enum(APPOINTMENT_STATUSES).meta({ id: 'AppointmentStatus' });
const Version = z.int().positive();
const Reason = healthData(Text.min(1).max(500));
const PersonName = healthData(Text.min(1).max(200));

const WallTimeRule = z.enum(['skipped', 'repeated']).meta({
  description:
    'The wall time of this occurrence does not exist on its day, so that it begins later by what the clocks were put ' +
    'forward (`skipped`), or exists twice, and it begins at the first of the two (`repeated`).',
});

export const Appointment = z
  .object({
    id: Id,
    version: Version.meta({ description: 'Rises by one with every change; needed to change it.' }),
    status: Status,
    clientId: Id,
    therapistId: Id,
    therapistName: PersonName.optional().meta({ description: 'Only when a service gave it with the booking.' }),
    startTime: Timestamp,
    endTime: Timestamp,
    timeZone: TimeZone,
    seriesId: Id.optional().meta({ description: 'The same for all occurrences of a series.' }),
    recurrence: Recurrence.optional(),
    wallTime: WallTimeRule.optional(),
    reason: Reason.optional().meta({ description: 'What was given with the latest change; `expired` of a request.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Appointment' });
export type Appointment = z.infer<typeof Appointment>;

const Times = z.object({ startTime: Timestamp, endTime: Timestamp });

const BookInput = Times.extend({
  therapistId: Id,
  clientId: Id,
  timeZone: TimeZone.meta({ description: 'Where the wall times of a series are kept.' }),
  recurrence: Recurrence.optional(),
  idempotencyKey: Id.optional().meta({
    description: 'The same key with the same body returns the first appointment, with another body CONFLICT.',
  }),
});

const Booked = Appointment.extend({
  occurrences: z.int().positive().optional().meta({ description: 'Of a series: how many were booked.' }),
  adjusted: z
    .array(z.object({ appointmentId: Id, startTime: Timestamp, wallTime: WallTimeRule }))
    .optional()
    .meta({ description: 'Of a series: the occurrences whose wall time does not exist or exists twice, if any.' }),
}).meta({ id: 'BookedAppointment' });

const ChangeInput = z.object({
  appointmentId: Id,
  version: Version.meta({ description: 'Of the appointment as the caller knows it.' }),
  scope: z.enum(SCOPES).default('this').meta({
    description:
      'Of a series: this occurrence, it and those after it, or all. Others to which the change cannot be made stay as they are.',
  }),
  reason: Reason.optional(),
});
const RescheduleInput = ChangeInput.extend(Times.shape).meta({
  description: 'Other occurrences in the scope move by as much as the named one does on the clock of the time zone.',
});

const ListInput = z
  .object({
    from: Timestamp.optional().meta({ description: 'Leaves out what ends at or before it.' }),
    to: Timestamp.optional().meta({ description: 'Leaves out what starts at or after it.' }),
    status: z.union([Status, z.array(Status).min(1)]).optional(),
    clientId: Id.optional(),
    therapistId: Id.optional(),
    cursor: z.string().max(200).optional(),
    limit: z.int().min(1).max(200).default(50),
  })
  .prefault({});
const ListOutput = z.object({ appointments: z.array(Appointment), nextCursor: z.string().optional() });

/** An hour and a minute of the day; 24:00 is its end. */
const Clock = z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be HH:MM');
const Hours = z
  .object({ from: Clock, to: Clock })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be later than from' });

const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

export const AvailabilitySetting = z.object({
  timeZone: TimeZone,
  weekly: z
    .array(z.intersection(z.object({ day: z.enum(WEEKDAYS) }), Hours))
    .max(200)
    .meta({ description: 'Working hours on the wall clock of the time zone.' }),
  exceptions: z
    .array(z.object({ date: z.iso.date(), hours: z.array(Hours).max(50) }))
    .max(1_000)
    .default([])
    .meta({ description: 'Days on which other hours hold; none for a day off.' }),
});
export type AvailabilitySetting = z.infer<typeof AvailabilitySetting>;

const Availability = z
  .object({
    therapistId: Id,
    timeZone: TimeZone.optional().meta({ description: 'Nothing is set without it: bookable at any time.' }),
    weekly: AvailabilitySetting.shape.weekly,
    exceptions: z.array(z.object({ date: z.iso.date(), hours: z.array(Hours) })),
    updatedAt: Timestamp.optional(),
  })
  .meta({ id: 'Availability' });
export type Availability = z.infer<typeof Availability>;

const SlotsInput = z.object({
  therapistId: Id,
  from: Timestamp,
  to: Timestamp.meta({ description: 'At most 31 days after from.' }),
  durationMinutes: z.int().min(5).max(480),
});
const SlotsOutput = z.object({ slots: z.array(Times) });

/** The longest that a reminder may come before an appointment: four weeks. */
export const MAX_REMINDER_OFFSET_MINUTES = 4 * 7 * 24 * 60;
const MAX_REMINDERS = 10;

const ReminderSetting = z.object({
  offsetsMinutes: z
    .array(z.int().min(1).max(MAX_REMINDER_OFFSET_MINUTES))
    .max(MAX_REMINDERS)
    .nullable()
    .meta({ description: 'Minutes before the start; none for no reminders; null for the defaults.' }),
});
const Reminders = z.object({
  offsetsMinutes: z.array(z.int()).meta({ description: 'What holds for this user.' }),
  isDefault: z.boolean(),
});

const ByUser = { roles: ROLES, answeredBy: 'appointment-service', ordered: false } as const;
const ByTherapist = { ...ByUser, roles: ['therapist'] } as const;

export const appointmentRequests = {
  'appointment:list': {
    summary: "The caller's appointments by start time, every occurrence of a series; of an admin, those of everybody.",
    input: ListInput,
    output: ListOutput,
    ...ByUser,
  },
  'appointment:book': {
    summary: 'Requests an appointment, or books it when the therapist asks. All occurrences of a series or none.',
    input: BookInput,
    output: Booked,
    ...ByUser,
  },
  'appointment:confirm': {
    summary: 'Confirms a request.',
    input: ChangeInput,
    output: Appointment,
    ...ByUser,
  },
  'appointment:cancel': {
    summary: 'Cancels a request or an appointment.',
    input: ChangeInput,
    output: Appointment,
    ...ByUser,
  },
  'appointment:reschedule': {
    summary: 'Moves a request or an appointment. Moved by the client, it is a request again.',
    input: RescheduleInput,
    output: Appointment,
    ...ByUser,
  },
  'appointment:complete': {
    summary: 'Records that the appointment took place.',
    input: ChangeInput,
    output: Appointment,
    ...ByUser,
  },
  'appointment:no-show': {
    summary: 'Records that the client did not come.',
    input: ChangeInput,
    output: Appointment,
    ...ByUser,
  },
  'appointment:slots': {
    summary: 'When a therapist can be booked.',
    input: SlotsInput,
    output: SlotsOutput,
    ...ByUser,
  },
  'availability:get': {
    summary: 'The working hours of a therapist.',
    input: z.object({ therapistId: Id }),
    output: Availability,
    ...ByUser,
  },
  'availability:set': {
    summary: "Sets the caller's working hours. Appointments that are booked stay.",
    input: AvailabilitySetting,
    output: Availability,
    ...ByTherapist,
  },
  'calendar:create': {
    summary: "Makes the secret address of the caller's calendar feed; one made before stops to work.",
    input: NoInput,
    output: z.object({ url: healthData(z.string()) }),
    ...ByUser,
  },
  'calendar:revoke': {
    summary: 'The address of the calendar feed stops to work.',
    input: NoInput,
    output: z.object({}),
    ...ByUser,
  },
  'reminder:get': {
    summary: 'How long before an appointment the caller is reminded.',
    input: NoInput,
    output: Reminders,
    ...ByUser,
  },
  'reminder:set': {
    summary: 'Sets how long before an appointment the caller is reminded, for appointments that are booked too.',
    input: ReminderSetting,
    output: Reminders,
    ...ByUser,
  },
} as const satisfies Record<string, UserRequestRow>;

const ByService = { answeredBy: 'appointment-service', askedBy: [] } as const;

const Change = z
  .object({
    version: Version,
    at: Timestamp,
    by: z.enum(['user', 'service', 'system']),
    userId: Id.optional().meta({ description: 'The user who made the change, or for whom a service made it.' }),
    service: Id.optional(),
    from: Times.extend({ status: Status }).optional().meta({ description: 'None of a booking.' }),
    to: Times.extend({ status: Status }),
    reason: Reason.optional(),
  })
  .meta({ id: 'AppointmentChange' });

export const appointmentServiceRequests = {
  'appointment.list': {
    summary: 'Appointments by start time, of the user on whose behalf it is asked, or of everybody.',
    input: ListInput,
    output: ListOutput,
    ...ByService,
  },
  'appointment.book': {
    summary: 'Requests an appointment for anybody, at any time that is free.',
    input: BookInput.extend({ therapistName: PersonName.optional() }),
    output: Booked,
    ...ByService,
  },
  'appointment.confirm': { summary: 'Confirms a request.', input: ChangeInput, output: Appointment, ...ByService },
  'appointment.cancel': {
    summary: 'Cancels a request or an appointment.',
    input: ChangeInput,
    output: Appointment,
    ...ByService,
  },
  'appointment.reschedule': {
    summary: 'Moves a request or an appointment, whose status stays.',
    input: RescheduleInput,
    output: Appointment,
    ...ByService,
  },
  'appointment.complete': {
    summary: 'Records that the appointment took place.',
    input: ChangeInput,
    output: Appointment,
    ...ByService,
  },
  'appointment.no-show': {
    summary: 'Records that the client did not come.',
    input: ChangeInput,
    output: Appointment,
    ...ByService,
  },
  'appointment.slots': {
    summary: 'When a therapist can be booked.',
    input: SlotsInput,
    output: SlotsOutput,
    ...ByService,
  },
  'appointment.history': {
    summary: 'Every change of an appointment: who, when, from, to, why.',
    input: z.object({ appointmentId: Id }),
    output: z.object({ appointment: Appointment, changes: z.array(Change) }),
    ...ByService,
  },
  'availability.get': {
    summary: 'The working hours of a therapist.',
    input: z.object({ therapistId: Id }),
    output: Availability,
    ...ByService,
  },
  'availability.set': {
    summary: 'Sets the working hours of a therapist. Appointments that are booked stay.',
    input: AvailabilitySetting.extend({ therapistId: Id }),
    output: Availability,
    ...ByService,
  },
  'reminder.get': {
    summary: 'How long before an appointment a user is reminded.',
    input: z.object({ userId: Id }),
    output: Reminders,
    ...ByService,
  },
  'reminder.set': {
    summary: 'Sets how long before an appointment a user is reminded.',
    input: ReminderSetting.extend({ userId: Id }),
    output: Reminders,
    ...ByService,
  },
} as const satisfies Record<string, ServiceRequestRow>;

export const appointmentGatewayCalls = {
  'calendar.read': {
    summary: 'The calendar behind a secret address.',
    input: z.object({
      secret: healthData(z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'must be the secret of a calendar')),
      ifNoneMatch: z.string().max(1_000).optional(),
    }),
    output: PublicPage,
    answeredBy: 'appointment-service',
  },
} as const satisfies Record<string, GatewayCallRow>;

const PartOfSeries = z.object({ position: z.int().positive(), count: z.int().positive() }).optional().meta({
  description:
    'When one change reached several occurrences: which of them this is. The message of the first speaks of all.',
});

const Extension = z.literal(true).optional().meta({
  description:
    'An occurrence of an endless series that was laid out because it has come within two years: nobody needs to be told.',
});

export const appointmentDeliveries = {
  'appointment:updated': {
    summary: 'An appointment of this user, or of this therapist, was booked or changed.',
    payload: z.object({
      appointmentId: Id,
      status: Status,
      message: healthData(z.string()).meta({ description: 'A sentence to show to a person. It names nobody.' }),
      appointment: Appointment,
      batch: PartOfSeries,
      extension: Extension,
    }),
    publishedBy: 'appointment-service',
    to: ['user', 'therapist'],
  },
  'appointment:reminder': {
    summary: 'A confirmed appointment is near. Tell repeats by reminderId.',
    payload: z.object({
      id: Id.meta({ description: 'Of the appointment.' }),
      therapistName: healthData(z.string()).meta({ description: '`your therapist` when the name is not known.' }),
      startTime: Timestamp,
      minutesUntil: z
        .int()
        .nonnegative()
        .meta({ description: 'Computed when it is sent, rounded to the nearest minute.' }),
      reminderId: Id,
    }),
    publishedBy: 'appointment-service',
    to: ['user', 'therapist'],
  },
} as const satisfies Record<string, DeliveryRow>;

const ChangeFact = {
  data: z.object({
    appointmentId: Id,
    seriesId: Id.optional(),
    clientUserId: Id,
    therapistId: Id,
    therapistUserId: Id.meta({ description: 'The therapistId where no profile says otherwise.' }),
    status: Status,
    version: Version,
    startTime: Timestamp,
    endTime: Timestamp,
    timeZone: TimeZone,
    changedBy: Id.optional().meta({ description: 'The user who made the change, or for whom a service made it.' }),
    cause: z.enum(['expired']).optional(),
    changedAt: Timestamp,
    batch: PartOfSeries,
    extension: Extension,
  }),
  publishedBy: 'appointment-service',
  consumedBy: ['notification-service'],
} as const;

export const appointmentFacts = {
  'appointment.booked': { summary: 'An appointment was requested or booked.', ...ChangeFact },
  'appointment.confirmed': { summary: 'A request was confirmed.', ...ChangeFact },
  'appointment.cancelled': { summary: 'An appointment was cancelled, or a request expired.', ...ChangeFact },
  'appointment.rescheduled': { summary: 'An appointment was moved.', ...ChangeFact },
  'appointment.completed': { summary: 'An appointment took place.', ...ChangeFact },
  'appointment.missed': { summary: 'The client did not come.', ...ChangeFact },
  'reminder.sent': {
    summary: 'A reminder was sent to the sockets of a party.',
    data: z.object({
      reminderId: Id,
      appointmentId: Id,
      version: Version,
      recipient: z.enum(['client', 'therapist']),
      userId: Id.meta({ description: 'Who was reminded.' }),
      startTime: Timestamp,
      timeZone: TimeZone,
      minutesUntil: z.int().nonnegative(),
      sentAt: Timestamp,
    }),
    publishedBy: 'appointment-service',
    consumedBy: ['notification-service'],
  },
} as const satisfies Record<string, FactRow>;
