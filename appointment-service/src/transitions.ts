import { AppError, type AppointmentStatus } from '@rapport/contracts';

/** What can be done to an appointment. `expire` is the service's own. */
export const COMMANDS = ['confirm', 'cancel', 'reschedule', 'complete', 'no-show', 'expire'] as const;
export type Command = (typeof COMMANDS)[number];

/** What somebody is to an appointment. `office`: an admin or a service. */
export const PARTIES = ['client', 'therapist', 'office', 'system'] as const;
export type Party = (typeof PARTIES)[number];

interface Transition {
  readonly from: readonly AppointmentStatus[];
  /** The status afterwards, for each party that may do it; `kept` leaves it as it is. */
  readonly to: Partial<Record<Party, AppointmentStatus | 'kept'>>;
  /** The parties that have to wait for the start time. */
  readonly afterStart?: readonly Party[];
  /** In one word, for a sentence: "cannot be …". */
  readonly done: string;
}

/** The whole state machine; section 4 of the contract. */
const transitions: Readonly<Record<Command, Transition>> = {
  confirm: { from: ['requested'], to: { therapist: 'confirmed', office: 'confirmed' }, done: 'confirmed' },
  cancel: {
    from: ['requested', 'confirmed'],
    to: { client: 'cancelled', therapist: 'cancelled', office: 'cancelled' },
    done: 'cancelled',
  },
  reschedule: {
    from: ['requested', 'confirmed'],
    to: { client: 'requested', therapist: 'kept', office: 'kept' },
    done: 'rescheduled',
  },
  complete: {
    from: ['confirmed'],
    to: { therapist: 'completed', office: 'completed' },
    afterStart: ['therapist'],
    done: 'completed',
  },
  'no-show': {
    from: ['confirmed'],
    to: { therapist: 'no-show', office: 'no-show' },
    afterStart: ['therapist'],
    done: 'marked as a no-show',
  },
  expire: { from: ['requested'], to: { system: 'cancelled' }, done: 'expired' },
};

/** The status of an appointment when it is booked. */
export function statusWhenBooked(by: Party): AppointmentStatus {
  return by === 'therapist' ? 'confirmed' : 'requested';
}

/** What the transition depends on. */
export interface TransitionState {
  readonly status: AppointmentStatus;
  readonly version: number;
  readonly startAt: Date;
}

/**
 * The status that the command leads to.
 * @param version as the caller knows it; without it the present one is meant
 * @throws AppError `UNAUTHORIZED` when the party may never do this, `CONFLICT` when not in this state or not yet,
 *   or when the appointment has changed since; it names the state and what is allowed
 */
export function transition(
  state: TransitionState,
  command: Command,
  by: Party,
  now: Date,
  version = state.version,
): AppointmentStatus {
  const { from, to, done } = transitions[command];
  const next = to[by];
  if (next === undefined) throw new AppError('UNAUTHORIZED', `you may not do this to the appointment`);
  const isStale = version !== state.version;
  if (!from.includes(state.status)) {
    throw conflict(`an appointment that is ${state.status} cannot be ${done}`, state, by, now);
  }
  if (isStale) throw conflict('the appointment has changed since this version', state, by, now);
  if (mustWait(command, by, state, now)) {
    throw conflict(`an appointment cannot be ${done} before it starts`, state, by, now);
  }
  return next === 'kept' ? state.status : next;
}

/** Every command that the party may give now, in the order of the table. */
export function allowed(state: TransitionState, by: Party, now: Date): Command[] {
  return COMMANDS.filter(
    command =>
      transitions[command].to[by] !== undefined &&
      transitions[command].from.includes(state.status) &&
      !mustWait(command, by, state, now),
  );
}

function mustWait(command: Command, by: Party, { startAt }: TransitionState, now: Date): boolean {
  return transitions[command].afterStart?.includes(by) === true && now < startAt;
}

function conflict(message: string, state: TransitionState, by: Party, now: Date): AppError {
  const can = allowed(state, by, now);
  return new AppError('CONFLICT', `${message}; allowed now: ${can.join(', ') || 'nothing'}`, {
    details: [
      { path: 'status', message: `is ${state.status}` },
      { path: 'version', message: `is ${state.version}` },
    ],
  });
}
