import { requestAsService, type Bus, type BusLog } from '@rapport/bus';

/** What a reminder says where the name is not known or cannot be asked for in time. */
const NAMELESS = 'your therapist';

/** A name that was changed shows after this time at the latest. */
const REMEMBERED_MS = 60_000;
/** Names are asked for together; a reminder does not wait longer than this for them. */
const PATIENCE_MS = 1_500;
const AT_ONCE = 50;
/** After a failure nobody is asked for so long. */
const PAUSE_MS = 10_000;

interface Named {
  readonly therapistName: string | null;
  readonly therapistUserId: string;
}

export interface TherapistNames {
  /** The name for each of these: as the booking has it, or as the profile has it, or the neutral one. */
  of(reminders: readonly Named[]): Promise<(reminder: Named) => string>;
}

/** Asks notification-service, which keeps the profiles, and remembers for a minute what it said. */
export function createTherapistNames({ ask, log, now }: NamesOptions): TherapistNames {
  const known = new Map<string, { name: string | undefined; until: number }>();
  let pausedUntil = 0;

  const learn = async (userId: string): Promise<void> => {
    const name = await ask(userId);
    known.set(userId, { name, until: now().getTime() + REMEMBERED_MS });
  };

  const learnAll = async (userIds: string[]): Promise<void> => {
    if (now().getTime() < pausedUntil) return;
    try {
      await inTime(userIds, learn);
    } catch (error) {
      // The other reminders of this moment would each wait in vain as long as these did.
      pausedUntil = now().getTime() + PAUSE_MS;
      log.warn({ err: error, pauseMs: PAUSE_MS }, 'the names of therapists could not be asked for');
    }
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
      if (unknown.size > 0) await learnAll([...unknown]);
      return ({ therapistName, therapistUserId }) => therapistName ?? known.get(therapistUserId)?.name ?? NAMELESS;
    },
  };
}

interface NamesOptions {
  readonly ask: AskName;
  readonly log: BusLog;
  readonly now: () => Date;
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

/** Runs `learn` for all of them, some at once. @throws at the first that fails, and when they are not done in time */
async function inTime(userIds: string[], learn: (userId: string) => Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  let isOver = false;
  const work = async (): Promise<void> => {
    for (let userId = userIds.pop(); userId !== undefined && !isOver; userId = userIds.pop()) await learn(userId);
  };
  try {
    await Promise.race([Promise.all(Array.from({ length: AT_ONCE }, work)), late.promise]);
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}
