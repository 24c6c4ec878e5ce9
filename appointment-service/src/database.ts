import { outboxRows, relationshipProjection, serviceTables, type DatabaseDefinition } from '@rapport/service/database';
import { AppointmentEntity } from './appointment.ts';
import { AvailabilityEntity } from './availability.ts';
import { CalendarFeedEntity } from './calendar-feeds.ts';
import { calendarFeeds } from './migrations/2026-11-25-calendar-feeds.ts';
import { appointments } from './migrations/2026-11-25-appointments.ts';
import { ReminderPreferenceEntity } from './reminder-preferences.ts';
import { AppointmentChangeEntity } from './show-history.ts';
import { TherapistEntity } from './therapists.ts';

export const database: DatabaseDefinition = {
  entities: [
    AppointmentEntity,
    AppointmentChangeEntity,
    AvailabilityEntity,
    CalendarFeedEntity,
    ReminderPreferenceEntity,
    TherapistEntity,
  ],
  migrations: [serviceTables, relationshipProjection, appointments, calendarFeeds, outboxRows],
};
