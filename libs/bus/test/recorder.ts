import { EventEmitter, once } from 'node:events';
import type { BusObserver } from '@rapport/bus';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

interface Told {
  log: LogLine;
  requestEnded: { subject: string; code: string };
  answerEnded: { subject: string; code: string };
  setAside: { subject: string };
  consumed: { fact: string; outcome: string };
  fatal: { error: Error };
}

/** An observer that remembers all it was told, and lets a test wait for what it will be told. */
export interface Recorder extends BusObserver {
  /** Everything of one kind that it was told so far. */
  told<K extends keyof Told>(kind: K): Told[K][];
  /** Resolves with the first of a kind that fits: told already, or still to come. */
  until<K extends keyof Told>(kind: K, fits?: (what: Told[K]) => boolean): Promise<Told[K]>;
}

export function createRecorder(): Recorder {
  const all: { kind: keyof Told; what: unknown }[] = [];
  const events = new EventEmitter().setMaxListeners(0);
  const tell = <K extends keyof Told>(kind: K, what: Told[K]): void => {
    all.push({ kind, what });
    events.emit('told');
  };
  const told = <K extends keyof Told>(kind: K): Told[K][] =>
    all.filter(entry => entry.kind === kind).map(entry => entry.what as Told[K]);
  const line = (level: LogLine['level']) => (fields: object, message: string) =>
    tell('log', { level, fields: { ...fields }, message });
  return {
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    requestEnded: (subject, code) => tell('requestEnded', { subject, code }),
    answerEnded: (subject, code) => tell('answerEnded', { subject, code }),
    setAside: subject => tell('setAside', { subject }),
    consumed(fact, outcome, count) {
      for (let each = 0; each < count; each += 1) tell('consumed', { fact, outcome });
    },
    fatal: error => tell('fatal', { error }),
    told,
    async until(kind, fits = () => true) {
      for (;;) {
        const found = told(kind).find(fits);
        if (found) return found;
        await once(events, 'told');
      }
    },
  };
}

/** All that a log line shows, the messages and stacks of errors included. */
export function textOf(lines: readonly LogLine[]): string {
  const spellOut = (_key: string, value: unknown): unknown =>
    value instanceof Error ? [value.name, value.message, value.stack, value.cause] : value;
  return JSON.stringify(lines, spellOut);
}
