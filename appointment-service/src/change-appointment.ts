import { AppError, invalidPayload, type Appointment, type Scope } from '@rapport/contracts';
import { asDates, inTransaction } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { validate as isUuid } from 'uuid';
import { APPOINTMENT_COLUMNS, toAppointment, type AppointmentRow } from './appointment.ts';
import { requireWorkingTime, type BookingOptions } from './book-appointment.ts';
import { partyOf, type Caller } from './caller.ts';
import { requireOpenRequests } from './open-requests.ts';
import { lockParties } from './parties.ts';
import { asNotAvailable, readTimes, type Times } from './times.ts';
import { allowed, transition, type Command, type Party } from './transitions.ts';
import { momentOf, moveWallTime, wallDistance, wallTimeOf } from './wall-time.ts';
import { writeChanges, type AppointmentChange } from './write-appointments.ts';

export interface ChangeInput {
  readonly appointmentId: string;
  /** As the caller knows it; only the service itself may leave it out. */
  readonly version?: number;
  readonly scope: Scope;
  readonly reason?: string | undefined;
  /** Of a reschedule. */
  readonly startTime?: string;
  readonly endTime?: string;
}

/** Commits a change of an appointment, or of several of a series; then tells both; then replies with the named one. */
export function createChangeAppointment(options: BookingOptions) {
  const { pool, outbox, tellChange, now } = options;
  return (command: Command) =>
    async (caller: Caller, input: ChangeInput): Promise<Appointment> => {
      const at = now();
      const parties = await partiesOf(pool, input.appointmentId);
      const party = parties && partyOf(caller, parties);
      if (!parties || !party) throw notThere(caller);
      const request = { command, caller, party, input, now: at };
      const { changes, facts } = await inTransaction(pool, async client => {
        await lockParties(client, parties);
        return change(client, request, options);
      });
      for (const [index, fact] of facts.entries()) {
        const row = changes[index]?.after;
        if (row) tellChange(fact, row);
        outbox.publish(fact);
      }
      const named = changes.find(({ after }) => after.id === input.appointmentId);
      if (!named) throw new Error('the named appointment was not changed');
      return toAppointment(named.after);
    };
}

interface ChangeRequest {
  readonly command: Command;
  readonly caller: Caller;
  readonly party: Party;
  readonly input: ChangeInput;
  readonly now: Date;
}

async function change(client: PoolClient, request: ChangeRequest, options: BookingOptions) {
  const { command, caller, party, input, now } = request;
  const rows = await rowsInScope(client, input);
  const named = rows.find(({ id }) => id === input.appointmentId);
  if (!named) throw notThere(caller);
  const status = transition(named, command, party, now, input.version);
  const reached = rows.filter(row => row === named || isReached(row, named, request));
  const move = command === 'reschedule' ? moveOf(named, input, now) : undefined;
  const changes = reached.map((before): AppointmentChange => {
    const after = transition(before, command, party, now);
    const times = move ? moved(before, before === named, move, options.bufferMs) : {};
    const isAskedAnew = after === 'requested' && (before.status !== 'requested' || party === 'client');
    return {
      before,
      after: {
        ...before,
        ...times,
        status: after,
        version: before.version + 1,
        reason: input.reason ?? null,
        requestedAt: after === 'requested' ? (isAskedAnew ? now : before.requestedAt) : null,
        updatedAt: now,
      },
    };
  });
  const afterwards = changes.map(({ after }) => after);
  if (move) {
    if (afterwards.some(({ startAt }) => startAt < now)) {
      throw invalidPayload({ path: 'startTime', message: 'must not move another occurrence into the past' });
    }
    if (party === 'client') await requireOpenRequests(client, named.clientId, named.seriesId ?? named.id);
    await requireWorkingTime(client, party, named.therapistId, afterwards);
  }
  if (named.seriesId !== null && input.scope !== 'this' && !leavesSeries(command, rows, reached)) {
    await changeSeries(client, { id: named.seriesId, timeZone: named.timeZone }, status, move);
  }
  try {
    const facts = await writeChanges(client, { kind: command, caller, changes, now }, options.defaultOffsets);
    return { changes, facts };
  } catch (error) {
    throw asNotAvailable(error);
  }
}

/** Another occurrence in the scope is left as it is when the command cannot be given for it; what has begun, too. */
function isReached(row: AppointmentRow, named: AppointmentRow, { command, party, now }: ChangeRequest): boolean {
  const isOver = row.startAt <= now && (command === 'cancel' || command === 'reschedule');
  // What the client asked for later, by moving it, waits for its own answer.
  if (command === 'expire' && row.requestedAt?.getTime() !== named.requestedAt?.getTime()) return false;
  return !isOver && allowed(row, party, now).includes(command);
}

/** A request that expires ends the series it was for, but not where others stand after it: the client had moved one. */
function leavesSeries(command: Command, rows: readonly AppointmentRow[], reached: readonly AppointmentRow[]): boolean {
  const after = rows.slice(rows.findLastIndex(row => reached.includes(row)) + 1);
  return command === 'expire' && after.some(({ status }) => status !== 'cancelled');
}

interface Move extends Times {
  /** How far the named appointment moves on the wall clock. */
  readonly distance: number;
  readonly durationMs: number;
}

function moveOf(named: AppointmentRow, { startTime, endTime }: ChangeInput, now: Date): Move {
  if (startTime === undefined || endTime === undefined) throw new TypeError('a reschedule has times');
  const times = readTimes({ startTime, endTime }, now);
  return {
    ...times,
    distance: wallDistance(named.wallStart, wallTimeOf(times.startAt, named.timeZone)),
    durationMs: times.endAt.getTime() - times.startAt.getTime(),
  };
}

function moved(row: AppointmentRow, isNamed: boolean, move: Move, bufferMs: number) {
  const wallStart = moveWallTime(row.wallStart, move.distance);
  const found = isNamed ? { at: move.startAt, rule: undefined } : momentOf(wallStart, row.timeZone);
  const endAt = new Date(found.at.getTime() + move.durationMs);
  return {
    startAt: found.at,
    endAt,
    blockedUntil: new Date(endAt.getTime() + bufferMs),
    wallStart,
    wallTime: found.rule ?? null,
  };
}

/**
 * What comes later of an endless series follows: moved by as much, or not at all. So does the moment to which it is
 * laid out, or the next occurrence would be passed over or come twice.
 */
async function changeSeries(
  client: PoolClient,
  { id, timeZone }: { id: string; timeZone: string },
  status: string,
  move: Move | undefined,
): Promise<void> {
  if (move) {
    const { rows } = await client.query<{ laidOutTo: Date }>({
      name: 'series-laid-out',
      text: 'select laid_out_to as "laidOutTo" from series where id = $1',
      types: asDates,
      values: [id],
    });
    const [series] = rows;
    if (!series) throw new Error('an occurrence has no series');
    const laidOutTo = moveWallTime(wallTimeOf(series.laidOutTo, timeZone), move.distance);
    await client.query({
      name: 'series-move',
      text: 'update series set moved_ms = moved_ms + $2, duration_ms = $3, laid_out_to = $4 where id = $1',
      values: [id, move.distance, move.durationMs, momentOf(laidOutTo, timeZone).at],
    });
  } else if (status === 'cancelled') {
    await client.query({
      name: 'series-end',
      text: 'update series set is_endless = false where id = $1',
      values: [id],
    });
  }
}

async function partiesOf(pool: Pool, id: string): Promise<{ clientId: string; therapistId: string } | undefined> {
  if (!isUuid(id)) return undefined;
  const result = await pool.query<{ clientId: string; therapistId: string }>({
    name: 'appointment-parties',
    text: 'select client_id as "clientId", therapist_id as "therapistId" from appointment where id = $1',
    values: [id],
  });
  return result.rows[0];
}

const SAME_SERIES = 'series_id = (select series_id from appointment where id = $1)';
const OTHERS: Readonly<Record<Scope, string>> = {
  this: '',
  following: `or (${SAME_SERIES} and start_at >= (select start_at from appointment where id = $1))`,
  all: `or ${SAME_SERIES}`,
};

/** Under the locks of the parties, so that nobody else changes them meanwhile. By start time. */
async function rowsInScope(client: PoolClient, { appointmentId, scope }: ChangeInput): Promise<AppointmentRow[]> {
  const result = await client.query<AppointmentRow>({
    name: `appointment-scope-${scope}`,
    text: `select ${APPOINTMENT_COLUMNS} from appointment where id = $1 ${OTHERS[scope]} order by start_at, id`,
    types: asDates,
    values: [appointmentId],
  });
  return result.rows;
}

/** A user learns nothing of what is not theirs, not even whether it is there. */
function notThere(caller: Caller): AppError {
  const isOffice = caller.kind !== 'user' || caller.role === 'admin';
  return isOffice
    ? new AppError('NOT_FOUND', 'there is no such appointment')
    : new AppError('UNAUTHORIZED', 'you may not do this to the appointment');
}
