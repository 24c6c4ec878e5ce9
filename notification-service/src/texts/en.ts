/**
 * What the product itself says. `push` is all that a lock screen or a mailbox shows: nobody who looks over a
 * shoulder learns what was written, by whom, or that it is about a therapy.
 */
export const en = {
  MESSAGE_RECEIVED: {
    title_one: 'New message',
    title_other: 'New messages',
    message_one: 'You have a new message.',
    message_other: 'You have {{count}} new messages.',
    push_one: 'You have a new message',
    push_other: 'You have {{count}} new messages',
  },
  RELATIONSHIP_STARTED: {
    title: 'New contact',
    message: 'You have a new contact and can write to each other now.',
    push: 'You have a new contact',
  },
  RELATIONSHIP_ENDED: {
    title: 'Contact ended',
    message: 'You and one of your contacts can no longer write to each other. What you wrote stays.',
    push: 'There is news about one of your contacts',
  },
  // `when` is a date and a time in the zone of who reads it.
  APPOINTMENT_REQUESTED: {
    title: 'Appointment requested',
    message: 'An appointment on {{when}} was requested.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_BOOKED: {
    title: 'Appointment booked',
    message: 'An appointment on {{when}} was booked.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_CONFIRMED: {
    title: 'Appointment confirmed',
    message: 'The appointment on {{when}} was confirmed.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_CANCELLED: {
    title: 'Appointment cancelled',
    message: 'The appointment on {{when}} was cancelled.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_EXPIRED: {
    title: 'Request expired',
    message: 'Nobody answered the request for an appointment on {{when}}. It was cancelled.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_RESCHEDULED: {
    title: 'Appointment moved',
    message: 'The appointment was moved to {{when}}.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_CHANGE_REQUESTED: {
    title: 'New time requested',
    message: 'It was asked to move the appointment to {{when}}.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_COMPLETED: {
    title: 'Appointment completed',
    message: 'The appointment on {{when}} took place.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_MISSED: {
    title: 'Appointment missed',
    message: 'The appointment on {{when}} was missed.',
    push: 'There is news about your appointment',
  },
  APPOINTMENT_REMINDER: {
    title: 'Appointment soon',
    message: 'You have an appointment on {{when}}.',
    push: 'You have an appointment soon',
  },
  /** Of a type that another service made: its own words stay inside the app. */
  OTHER: { push: 'You have a new notification' },
  email: {
    greeting: 'Hello,',
    text: '{{push}}. Sign in to see it.',
    why: 'You get this e-mail because you want to be notified of what is new while you are away.',
    unsubscribe: 'Send me no more e-mails of this kind',
  },
  page: {
    title: 'E-mail notifications',
    question: 'Stop e-mails of this kind?',
    stopThese: 'Stop e-mails of this kind',
    stopAll: 'Stop all e-mails',
    done: 'You will get no more of these e-mails. In the app you can turn them on again.',
    invalid: 'This link is not valid. In the app you can choose how you want to be notified.',
  },
} as const;
