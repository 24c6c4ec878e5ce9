import { describe, expect, test } from '@jest/globals';
import {
  allowed,
  COMMANDS,
  PARTIES,
  statusWhenBooked,
  transition,
  type Command,
  type Party,
} from '../src/transitions.ts';

const START = new Date('2026-12-01T09:00:00.000Z');
const BEFORE = new Date(START.getTime() - 1);
const STATUSES = ['requested', 'confirmed', 'cancelled', 'completed', 'no-show'] as const;

/** Section 4 of the contract, written out by hand: the only transitions there are. Before and from the start time. */
const TABLE = new Map<string, string>([
  ['requested confirm therapist', 'confirmed confirmed'],
  ['requested confirm office', 'confirmed confirmed'],
  ['requested cancel client', 'cancelled cancelled'],
  ['requested cancel therapist', 'cancelled cancelled'],
  ['requested cancel office', 'cancelled cancelled'],
  ['confirmed cancel client', 'cancelled cancelled'],
  ['confirmed cancel therapist', 'cancelled cancelled'],
  ['confirmed cancel office', 'cancelled cancelled'],
  ['requested reschedule client', 'requested requested'],
  ['requested reschedule therapist', 'requested requested'],
  ['requested reschedule office', 'requested requested'],
  ['confirmed reschedule client', 'requested requested'],
  ['confirmed reschedule therapist', 'confirmed confirmed'],
  ['confirmed reschedule office', 'confirmed confirmed'],
  ['confirmed complete therapist', 'CONFLICT completed'],
  ['confirmed complete office', 'completed completed'],
  ['confirmed no-show therapist', 'CONFLICT no-show'],
  ['confirmed no-show office', 'no-show no-show'],
  ['requested expire system', 'cancelled cancelled'],
]);

/** The parties that may give a command in some state. */
const MAY: Readonly<Record<Command, readonly Party[]>> = {
  confirm: ['therapist', 'office'],
  cancel: ['client', 'therapist', 'office'],
  reschedule: ['client', 'therapist', 'office'],
  complete: ['therapist', 'office'],
  'no-show': ['therapist', 'office'],
  expire: ['system'],
};

function outcome(status: (typeof STATUSES)[number], command: Command, by: Party, now: Date): string {
  try {
    return transition({ status, version: 3, startAt: START }, command, by, now, 3);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const all = STATUSES.flatMap(status => COMMANDS.flatMap(command => PARTIES.map(by => ({ status, command, by }))));

test.each(all)('$by: $command from $status', ({ status, command, by }) => {
  const otherwise = MAY[command].includes(by) ? 'CONFLICT CONFLICT' : 'UNAUTHORIZED UNAUTHORIZED';
  const expected = TABLE.get(`${status} ${command} ${by}`) ?? otherwise;
  expect([outcome(status, command, by, BEFORE), outcome(status, command, by, START)].join(' ')).toBe(expected);
});

test.each(all)(
  'what is said to be allowed to the $by of one that is $status is: $command',
  ({ status, command, by }) => {
    for (const now of [BEFORE, START]) {
      const said = allowed({ status, version: 1, startAt: START }, by, now).includes(command);
      expect(said).toBe(!['CONFLICT', 'UNAUTHORIZED'].includes(outcome(status, command, by, now)));
    }
  },
);

test('a booking by the therapist is confirmed, any other is a request', () => {
  expect(PARTIES.map(statusWhenBooked)).toEqual(['requested', 'confirmed', 'requested', 'requested']);
});

describe('a CONFLICT', () => {
  const state = { status: 'requested', version: 3, startAt: START } as const;

  test('names the state, the version, and what is allowed', () => {
    expect(() => transition(state, 'complete', 'therapist', BEFORE, 3)).toThrow(
      expect.objectContaining({
        code: 'CONFLICT',
        message: 'an appointment that is requested cannot be completed; allowed now: confirm, cancel, reschedule',
        details: [
          { path: 'status', message: 'is requested' },
          { path: 'version', message: 'is 3' },
        ],
      }),
    );
  });

  test('says so when nothing is', () => {
    const cancelled = { ...state, status: 'cancelled' } as const;
    expect(() => transition(cancelled, 'cancel', 'client', BEFORE, 3)).toThrow(
      'an appointment that is cancelled cannot be cancelled; allowed now: nothing',
    );
  });

  test.each([2, 4])('is what a caller gets who knows version %i of what is at 3', version => {
    expect(() => transition(state, 'cancel', 'client', BEFORE, version)).toThrow(
      'the appointment has changed since this version; allowed now: cancel, reschedule',
    );
  });

  test('is what completing before the start is', () => {
    const confirmed = { ...state, status: 'confirmed' } as const;
    expect(() => transition(confirmed, 'complete', 'therapist', BEFORE, 3)).toThrow(
      'an appointment cannot be completed before it starts; allowed now: cancel, reschedule',
    );
  });
});
