import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import { moveWallTime, momentOf, wallTimeOf, type WallTimeRule } from './wall-time.ts';

/** How a series repeats: on the wall clock of a time zone. */
export interface SeriesRule {
  readonly recurrence: string;
  readonly timeZone: string;
  /** The wall time of the first occurrence. */
  readonly wallStart: string;
}

/** One time that the rule names, as a wall time and as a moment. */
export interface Occurrence {
  /** What the rule says, before the series was moved. */
  readonly ruleWall: string;
  readonly wall: string;
  readonly startAt: Date;
  readonly wallTime: WallTimeRule | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** A zone's wall clock is never further from UTC than this. */
const MAX_OFFSET_MS = DAY_MS;
const WALL_EPOCH = '1970-01-01T00:00:00.000';
/** Periods without an occurrence that are looked through: `BYMONTHDAY=31` in February is one. */
const MAX_PERIODS = 5_000;

/**
 * The occurrences of a series that start after `after` and not after `until`, in order.
 *
 * The rule is expanded on a clock without a zone, so that every occurrence has the wall time that the rule names,
 * and only then looked up in the zone: that is how a weekly 09:00 stays at 09:00, and why an occurrence whose wall
 * time is skipped is moved, never dropped (the rule is in `wall-time.ts`).
 *
 * @param moved by how much the series was moved as a whole since it was booked, in milliseconds on the wall clock
 */
export function occurrencesOf(rule: SeriesRule, range: { after: Date; until: Date }, moved = 0): readonly Occurrence[] {
  const { text, last } = withoutUntil(rule);
  const expansion = new RRuleTemporal({
    rruleString: `DTSTART:${compact(rule.wallStart)}\nRRULE:${text}`,
    temporal: Temporal,
    maxIterations: MAX_PERIODS,
  });
  const bound = (moment: Date, slack: number) => new Date(moment.getTime() - moved + slack);
  const walls = expansion
    .between(bound(range.after, -MAX_OFFSET_MS), bound(range.until, MAX_OFFSET_MS), true)
    // A rule counts in whole seconds.
    .map(({ epochMilliseconds }) => moveWallTime(WALL_EPOCH, epochMilliseconds + Number(rule.wallStart.slice(20))));
  return walls
    .filter(ruleWall => last === undefined || last(ruleWall))
    .map(ruleWall => {
      const wall = moveWallTime(ruleWall, moved);
      const { at, rule: wallTime } = momentOf(wall, rule.timeZone);
      return { ruleWall, wall, startAt: at, wallTime };
    })
    .filter(({ startAt }) => startAt > range.after && startAt <= range.until);
}

/** Whether the rule has an end, or goes on for as long as it is laid out. */
export function isEndless(recurrence: string): boolean {
  return !/(^|;)(COUNT|UNTIL)=/.test(recurrence);
}

/**
 * UNTIL with a time is a moment, and with a date alone the last day on the wall clock. The expansion knows no
 * zone, so it is applied to what comes out.
 */
function withoutUntil({ recurrence, timeZone }: SeriesRule): {
  text: string;
  last: ((ruleWall: string) => boolean) | undefined;
} {
  const parts = recurrence.split(';');
  const until = parts.find(part => part.startsWith('UNTIL='))?.slice('UNTIL='.length);
  const text = parts.filter(part => !part.startsWith('UNTIL=')).join(';');
  if (until === undefined) return { text, last: undefined };
  const date = `${until.slice(0, 4)}-${until.slice(4, 6)}-${until.slice(6, 8)}`;
  if (until.length === 8) return { text, last: wall => wall.slice(0, 10) <= date };
  const time = `${until.slice(9, 11)}:${until.slice(11, 13)}:${until.slice(13, 15)}`;
  const lastWall = wallTimeOf(new Date(`${date}T${time}Z`), timeZone);
  return { text, last: wall => wall <= lastWall };
}

/** `2027-03-28T09:00:00.000` → `20270328T090000Z` */
function compact(wall: string): string {
  return `${wall.slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
