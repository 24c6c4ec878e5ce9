import type { ErrorCode } from '@rapport/contracts';

/** The part of a pino logger that the bus uses. Fields are ids, subjects, codes and durations, never bodies. */
export interface BusLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the bus tells the process it lives in; libs/service turns it into metrics and log lines. */
export interface BusObserver {
  readonly log: BusLog;
  /** A request that this process made has ended. */
  requestEnded(subject: string, code: ErrorCode | 'OK', seconds: number): void;
  /** A request that this process answered has ended. */
  answerEnded(subject: string, code: ErrorCode | 'OK', seconds: number): void;
  /** A message that does not parse was put aside. */
  setAside(subject: string): void;
  /** So many facts were consumed: their effect committed, already committed before, or to be tried again. */
  consumed(fact: string, outcome: 'handled' | 'repeated' | 'failed', count: number): void;
  /** Something that this process cannot live without is gone for good. */
  fatal(error: Error): void;
}
