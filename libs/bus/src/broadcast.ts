import { buildSubject, controls, type ControlData, type ControlName } from '@rapport/contracts';
import type { Bus } from './connect.ts';
import type { Listening } from './deliver.ts';
import { send } from './send.ts';
import { traceLines } from './trace.ts';

/** Tells every gateway. Fire and forget: one that was not connected has to ask. */
export function broadcast<N extends ControlName>(bus: Bus, name: N, data: ControlData<N>): void {
  const subject = buildSubject({ family: 'control', name });
  send(bus.connection, subject, JSON.stringify(data), { lines: traceLines() });
}

/** Listens to what every gateway is told, until stopped. Survives reconnects. What does not parse is put aside. */
export function onBroadcast<N extends ControlName>(
  bus: Bus,
  name: N,
  receive: (data: ControlData<N>) => void,
): Listening {
  const subject = buildSubject({ family: 'control', name });
  const subscription = bus.connection.subscribe(subject, {
    callback: (error, message) => {
      const parsed = error ? undefined : controls[name].data.safeParse(parseJson(message.string()));
      if (!parsed?.success) {
        bus.observer.setAside(subject);
        return;
      }
      try {
        receive(parsed.data as ControlData<N>);
      } catch (failure) {
        // What is thrown from here would end the reading of the whole connection.
        bus.observer.log.error({ subject, err: failure }, 'a control message could not be followed');
      }
    },
  });
  return {
    established: () => bus.connection.flush(),
    stop: () => subscription.unsubscribe(),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
