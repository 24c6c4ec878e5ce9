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
