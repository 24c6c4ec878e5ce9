import { answerRequests } from '@rapport/bus';
import type { ProcessContext } from '@rapport/service';
import {
  assertMigrated,
  connectDatabase,
  keepRelationship,
  startConsumers,
  startOutbox,
  unavailableWithoutDatabase,
} from '@rapport/service/database';
import packageJson from '../package.json' with { type: 'json' };
import { createGetAvailability, createSetAvailability } from './availability.ts';
import { createCalendarFeed, createReadFeed, createRevokeFeed } from './calendar-feeds.ts';
import { createBookAppointment } from './book-appointment.ts';
import { serviceCaller as forService, userCaller as forUser, ownTherapistId } from './caller.ts';
import { createChangeAppointment } from './change-appointment.ts';
import { createContactPolicy } from './contact-policy.ts';
import { database } from './database.ts';
import { expireRequests } from './expire-requests.ts';
import { extendSeries } from './extend-series.ts';
import { createFindSlots } from './find-slots.ts';
import { createListAppointments } from './list-appointments.ts';
import { createGetReminders, createSetReminders } from './reminder-preferences.ts';
import { sendDueReminders } from './send-reminders.ts';
import { createShowHistory } from './show-history.ts';
import { createRetellChange, createTellChange } from './tell-change.ts';
import { createAskName, createTherapistNames } from './therapist-names.ts';
import { keepTherapist } from './therapists.ts';
import { startTicker } from './ticker.ts';
import type { ChangeFactName } from './write-appointments.ts';

const MINUTE_MS = 60_000;

/** Starts the service: database, outbox, the answers to every request of the table that is its own, and the clock. */
export async function startAppointmentService(context: ProcessContext<'appointment-service'>): Promise<void> {
  const { bus, config, health, log, metrics, onStop, stopping } = context;
  const db = await connectDatabase({
    url: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    definition: database,
  });
  const { orm, pool } = db;
  onStop('database', db.close);
  await assertMigrated(orm);
  health.add('database', db.ping);

  const now = () => new Date();
  const tellChange = createTellChange(bus);
  const retell = createRetellChange({ pool, tellChange });
  const outbox = await startOutbox<ChangeFactName | 'reminder.sent'>({
    bus,
    pool,
    log,
    metrics,
    stopping,
    onStop,
    retentionHours: config.OUTBOX_RETENTION_HOURS,
    redeliver: {
      'appointment.booked': retell,
      'appointment.confirmed': retell,
      'appointment.cancelled': retell,
      'appointment.rescheduled': retell,
      'appointment.completed': retell,
      'appointment.missed': retell,
      // It had reached the server before the row was committed.
      'reminder.sent': () => Promise.resolve(),
    },
  });
  startConsumers(
    {
      service: 'appointment-service',
      bus,
      pool,
      log,
      outboxRetentionHours: config.OUTBOX_RETENTION_HOURS,
      stopping,
      onStop,
    },
    {
      'relationship.changed': async (fact, client) => void (await keepRelationship(fact, client)),
      'profile.changed': keepTherapist,
    },
  );

  const bufferMs = config.APPOINTMENT_BUFFER_MINUTES * MINUTE_MS;
  const defaultOffsets = config.REMINDER_OFFSETS_MINUTES;
  const { requireContact, requireBookable } = createContactPolicy({ policy: config.CONTACT_POLICY, pool });
  const booking = { pool, outbox, tellChange, bufferMs, defaultOffsets, now };
  const book = createBookAppointment({ ...booking, requireBookable });
  const change = createChangeAppointment(booking);
  const list = createListAppointments(db);
  const slots = createFindSlots({ pool, requireContact, bufferMs, now });
  const getAvailability = createGetAvailability({ orm, requireContact });
  const setAvailability = createSetAvailability({ orm, now });
  const getReminders = createGetReminders({ pool, defaultOffsets, now });
  const setReminders = createSetReminders({ pool, defaultOffsets, now });
  const createFeed = createCalendarFeed({ orm, now, publicUrl: config.PUBLIC_URL });
  const revokeFeed = createRevokeFeed({ orm });
  const readFeed = createReadFeed({ orm, pool, now });
  const showHistory = createShowHistory({ orm });

  const about = { version: packageJson.version, description: packageJson.description };
  const answering = await answerRequests(bus, 'appointment-service', about, {
    user: unavailableWithoutDatabase({
      'appointment:list': ({ actor, input }) => list(forUser(actor), input),
      'appointment:book': ({ actor, input }) => book(forUser(actor), input),
      'appointment:confirm': ({ actor, input }) => change('confirm')(forUser(actor), input),
      'appointment:cancel': ({ actor, input }) => change('cancel')(forUser(actor), input),
      'appointment:reschedule': ({ actor, input }) => change('reschedule')(forUser(actor), input),
      'appointment:complete': ({ actor, input }) => change('complete')(forUser(actor), input),
      'appointment:no-show': ({ actor, input }) => change('no-show')(forUser(actor), input),
      'appointment:slots': ({ actor, input }) => slots(forUser(actor), input),
      'availability:get': ({ actor, input }) => getAvailability(forUser(actor), input),
      'availability:set': ({ actor, input }) => setAvailability(ownTherapistId(actor), input),
      'calendar:create': ({ actor }) => createFeed(actor),
      'calendar:revoke': ({ actor }) => revokeFeed(actor),
      'reminder:get': ({ actor }) => getReminders(actor.userId),
      'reminder:set': ({ actor, input }) => setReminders({ userId: actor.userId, ...input }),
    }),
    service: unavailableWithoutDatabase({
      'appointment.list': ({ actor, input }) => list(forService(actor), input),
      'appointment.book': ({ actor, input }) => book(forService(actor), input),
      'appointment.confirm': ({ actor, input }) => change('confirm')(forService(actor), input),
      'appointment.cancel': ({ actor, input }) => change('cancel')(forService(actor), input),
      'appointment.reschedule': ({ actor, input }) => change('reschedule')(forService(actor), input),
      'appointment.complete': ({ actor, input }) => change('complete')(forService(actor), input),
      'appointment.no-show': ({ actor, input }) => change('no-show')(forService(actor), input),
      'appointment.slots': ({ actor, input }) => slots(forService(actor), input),
      'appointment.history': ({ input }) => showHistory(input),
      'availability.get': ({ actor, input }) => getAvailability(forService(actor), input),
      'availability.set': ({ input }) => setAvailability(input.therapistId, input),
      'reminder.get': ({ input }) => getReminders(input.userId),
      'reminder.set': ({ input }) => setReminders(input),
    }),
    gateway: unavailableWithoutDatabase({
      'calendar.read': ({ input }) => readFeed(input),
    }),
  });
  onStop('answers', () => answering.stop());

  const reminders = metrics.counter('rapport_reminders_total', 'Reminders that were decided on, by outcome.', [
    'outcome',
  ]);
  const sending = {
    bus,
    pool,
    outbox,
    names: createTherapistNames({ ask: createAskName(bus), log, now }),
    counted: (outcome: string, count: number) => reminders.inc({ outcome }, count),
  };
  const expiry = { pool, expire: change('expire') };
  startTicker(
    [
      { name: 'reminders', every: '* * * * * *', run: () => sendDueReminders(sending, now, stopping) },
      {
        name: 'expiry',
        every: '*/10 * * * * *',
        run: async () => void (await expireRequests(expiry, { now: now(), afterHours: config.REQUEST_EXPIRES_HOURS })),
      },
      { name: 'series', every: '0 7 * * * *', run: () => extendSeries({ ...booking, log }, now()) },
    ],
    { log, onStop },
  );
}
