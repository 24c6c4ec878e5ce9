import { deliver, type Bus } from '@rapport/bus';
import { asDates, type OutboxFact } from '@rapport/service/database';
import type { Pool } from 'pg';
import { APPOINTMENT_COLUMNS, toAppointment, type AppointmentRow } from './appointment.ts';
import { changeMessage } from './change-message.ts';
import type { ChangeFactName } from './write-appointments.ts';

/** Sends `appointment:updated` to the client and to the therapist, whoever made the change. */
export type TellChange = (fact: OutboxFact<ChangeFactName>, row: AppointmentRow) => void;

export function createTellChange(bus: Bus): TellChange {
  return ({ fact, data }, row) => {
    const payload = {
      appointmentId: row.id,
      status: row.status,
      message: changeMessage(fact, data),
      appointment: toAppointment(row),
      ...(data.batch && { batch: data.batch }),
      ...(data.extension && { extension: data.extension }),
    };
    deliver(bus, { user: row.clientId }, 'appointment:updated', payload);
    deliver(bus, { therapist: row.therapistId }, 'appointment:updated', payload);
  };
}

/** Does the same from what the database has, for a fact that was left over. */
export function createRetellChange({ pool, tellChange }: { pool: Pool; tellChange: TellChange }) {
  return async (fact: OutboxFact<ChangeFactName>): Promise<void> => {
    const result = await pool.query<AppointmentRow>({
      text: `select ${APPOINTMENT_COLUMNS} from appointment where id = $1`,
      types: asDates,
      values: [fact.data.appointmentId],
    });
    const [row] = result.rows;
    // What was changed again since then has a fact of its own, with its own message.
    if (row?.version === fact.data.version) tellChange(fact, row);
  };
}
