import type { BrokenProduct } from './broken-product.ts';

const TABLES = 'appointment-service/src/migrations/2026-11-25-appointments.ts';
const SEND = 'appointment-service/src/send-reminders.ts';

/** Ways in which appointments could be wrong; each is one that other products are known for. */
export const BROKEN_APPOINTMENTS: readonly BrokenProduct[] = [
  {
    name: 'double-booking',
    what: 'nothing in the database keeps a therapist from being booked twice',
    test: 'appointment-service/test/booking',
    edits: [
      {
        file: TABLES,
        from: `appointment_therapist_is_free exclude using gist
          (therapist_id with =,`,
        to: `appointment_therapist_is_free exclude using gist
          (id with =,`,
      },
    ],
    seenAs: ['● a time › is had by exactly one'],
  },
  {
    name: 'no-calendar-locks',
    what: 'the calendars of the two parties are not locked in a fixed order before anything else',
    test: 'appointment-service/test/booking',
    edits: [
      { file: 'appointment-service/src/parties.ts', from: 'select pg_advisory_xact_lock(key)', to: 'select key' },
    ],
    seenAs: ['● a time › is had by one of many'],
  },
  {
    name: 'unclaimed-reminders',
    what: 'replicas do not claim the reminders that they send',
    test: 'appointment-service/test/reminders',
    edits: [{ file: SEND, from: ' for update of r skip locked', to: '' }],
    seenAs: ['● many due at once are sent once each by three replicas'],
  },
  {
    name: 'unrecalled-reminders',
    what: 'reminders stay as they were planned when an appointment is cancelled or moved',
    test: 'appointment-service/test/reminders',
    edits: [
      {
        file: 'appointment-service/src/write-reminders.ts',
        from: `where appointment_id = any($1) and outcome is null\``,
        to: `where appointment_id = any($1) and outcome is null and $2::timestamptz is null\``,
      },
      {
        file: 'appointment-service/src/plan-reminders.ts',
        from: `if (appointment.status !== 'confirmed' || appointment.version !== version) return 'superseded';`,
        to: '',
      },
    ],
    seenAs: ['● nothing is sent › for what was cancelled', '● nothing is sent › at the old time of what was moved'],
  },
  {
    name: 'every-missed-reminder',
    what: 'after a downtime every reminder that was missed is sent',
    test: 'appointment-service/test/reminders',
    edits: [
      {
        file: 'appointment-service/src/plan-reminders.ts',
        from: `return isOvertaken ? 'suppressed-collapsed' : 'send';`,
        to: `return isOvertaken && now < new Date(0) ? 'suppressed-collapsed' : 'send';`,
      },
    ],
    seenAs: ['● after a downtime what is late and useful is sent once'],
  },
  {
    name: 'hours-off',
    what: 'a series is laid out in steps of the same length, whatever the clocks do',
    test: 'appointment-service/test/series.test',
    edits: [
      {
        file: 'appointment-service/src/series.ts',
        from: 'return { ruleWall, wall, startAt: at, wallTime };',
        to: `const first = momentOf(rule.wallStart, rule.timeZone).at.getTime();
      const steady = first + Date.parse(\`\${wall}Z\`) - Date.parse(\`\${rule.wallStart}Z\`);
      return { ruleWall, wall, startAt: at < new Date(0) ? at : new Date(steady), wallTime };`,
      },
    ],
    seenAs: ['● a weekly 09:00 stays at 09:00 › across both changes of the clocks in Europe/Berlin'],
  },
  {
    name: 'confirmed-by-anybody',
    what: 'a client confirms their own request',
    test: 'appointment-service/test/state-machine',
    edits: [
      {
        file: 'appointment-service/src/transitions.ts',
        from: `to: { therapist: 'confirmed', office: 'confirmed' }`,
        to: `to: { client: 'confirmed', therapist: 'confirmed', office: 'confirmed' }`,
      },
    ],
    seenAs: ['● whatever several people do, in whatever order'],
  },
];
