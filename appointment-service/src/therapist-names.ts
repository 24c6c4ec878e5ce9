import { requestAsService, type Bus, type BusLog } from '@rapport/bus';

/** What a reminder says where the name is not known or cannot be asked for in time. */
const NAMELESS = 'your therapist';

/** A name that was changed shows after this time at the latest. */
const REMEMBERED_MS = 60_000;
/** Names are asked for together; a reminder does not wait longer than this for them. */
const PATIENCE_MS = 1_500;
const AT_ONCE = 50;

interface Named {
  readonly therapistName: string | null;
  readonly therapistUserId: string;
}

export interface TherapistNames {
  /** The name for each of these: as the booking has it, or as the profile has it, or the neutral one. */
  of(reminders: readonly Named[]): Promise<(reminder: Named) => string>;
}

/** Asks notification-service, which keeps the profiles, and remembers for a minute what it said. */
export function createTherapistNames({
  ask,
  log,
  now,
}: {
  ask: AskName;
  log: BusLog;
  now: () => Date;
}): TherapistNames {
  const known = new Map<string, { name: string | undefined; until: number }>();

  const learn = async (userId: string): Promise<void> => {
    const name = await ask(userId);
    known.set(userId, { name, until: now().getTime() + REMEMBERED_MS });
  };

  const forget = (): void => {
    const time = now().getTime();
    for (const [userId, { until }] of known) if (until <= time) known.delete(userId);
  };

  return {
    async of(reminders) {
      forget();
      const unknown = new Set(
        reminders
          .filter(({ therapistName, therapistUserId }) => therapistName === null && !known.has(therapistUserId))
          .map(({ therapistUserId }) => therapistUserId),
      );
      if (unknown.size > 0) await inTime([...unknown], learn, log);
      return ({ therapistName, therapistUserId }) => therapistName ?? known.get(therapistUserId)?.name ?? NAMELESS;
    },
  };
}

/** The name in a user's profile, if it has one. Rejects when nobody answers. */
export type AskName = (userId: string) => Promise<string | undefined>;

export function createAskName(bus: Bus): AskName {
  return async userId => {
    const reply = await requestAsService(bus, 'profile.get', {
      actor: { service: 'appointment-service' },
      input: { userId },
    });
    const ack = reply.read();
    if (ack.ok) return ack.data.name;
    if (ack.error.code === 'NOT_FOUND') return undefined;
    throw new Error(`profile.get failed: ${ack.error.code}`);
  };
}

/** Runs `learn` for all of them, some at once, and gives up what is not done in time, or at the first that fails. */
async function inTime(userIds: string[], learn: (userId: string) => Promise<void>, log: BusLog): Promise<void> {
  const asked = Promise.withResolvers<void>();
  const timer = setTimeout(asked.resolve, PATIENCE_MS);
  let over = false;
  const work = async (): Promise<void> => {
    for (let userId = userIds.pop(); userId !== undefined && !over; userId = userIds.pop()) await learn(userId);
  };
  const all = Promise.all(Array.from({ length: AT_ONCE }, work)).then(
    () => undefined,
    (error: unknown) => log.warn({ err: error }, 'the names of therapists could not be asked for'),
  );
  await Promise.race([all, asked.promise]);
  over = true;
  clearTimeout(timer);
}
