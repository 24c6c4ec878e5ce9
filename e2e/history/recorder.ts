import type { History, Received, SeenMessage, Sent } from './history.ts';

/** Writes down what happens to clients, as it happens. */
export interface Recorder {
  readonly history: History;
  /** Before the packet is handed over. Returns the number of the call. */
  sent(entry: Omit<Sent, 'kind' | 'at' | 'call'>): number;
  acked(call: number, message: SeenMessage): void;
  refused(call: number, code: string): void;
  received(entry: Omit<Received, 'kind' | 'at'>): void;
}

export function createRecorder(now: () => number = () => performance.now()): Recorder {
  const history: History[number][] = [];
  const calls: Sent[] = [];
  const callOf = (call: number): Sent => {
    const sent = calls[call];
    if (!sent) throw new RangeError(`there was no call ${call}`);
    return sent;
  };
  return {
    history,
    sent(entry) {
      const call = calls.length;
      const sent: Sent = { kind: 'sent', at: now(), call, ...entry };
      calls.push(sent);
      history.push(sent);
      return call;
    },
    acked(call, message) {
      const { user, socket } = callOf(call);
      history.push({ kind: 'acked', at: now(), user, socket, call, message });
    },
    refused(call, code) {
      const { user, socket } = callOf(call);
      history.push({ kind: 'refused', at: now(), user, socket, call, code });
    },
    received: entry => void history.push({ kind: 'received', at: now(), ...entry }),
  };
}
