import { z } from 'zod';

// The part of RFC 5545, section 3.3.10, by which sessions repeat. Rules that repeat within a day are none.

const WEEKDAY = '(MO|TU|WE|TH|FR|SA|SU)';
const listOf = (item: string) => new RegExp(`^${item}(,${item})*$`);
const UP_TO_31 = '(-?([1-9]|[12]\\d|3[01]))';

const PARTS: Readonly<Record<string, RegExp>> = {
  FREQ: /^(DAILY|WEEKLY|MONTHLY|YEARLY)$/,
  INTERVAL: /^[1-9]\d{0,2}$/,
  COUNT: /^[1-9]\d{0,3}$/,
  UNTIL: /^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3])[0-5]\d[0-5]\dZ)?$/,
  BYDAY: listOf(`([+-]?[1-5])?${WEEKDAY}`),
  BYMONTHDAY: listOf(UP_TO_31),
  BYMONTH: listOf('([1-9]|1[0-2])'),
  BYSETPOS: listOf(UP_TO_31),
  WKST: new RegExp(`^${WEEKDAY}$`),
};

/** Why a text is not such a rule; `undefined` when it is one. */
function mistakeIn(text: string): string | undefined {
  const seen = new Map<string, string>();
  for (const part of text.split(';')) {
    const [name = '', value = ''] = part.split('=', 2);
    const rule = Object.hasOwn(PARTS, name) ? PARTS[name] : undefined;
    if (!rule) return `may have the parts ${Object.keys(PARTS).join(', ')}, as NAME=value, separated by ;`;
    if (seen.has(name)) return `must have ${name} once`;
    if (part !== `${name}=${value}` || !rule.test(value)) return `has a value of ${name} that is not allowed`;
    seen.set(name, value);
  }
  if (!seen.has('FREQ')) return 'must have FREQ: DAILY, WEEKLY, MONTHLY or YEARLY';
  if (seen.has('COUNT') && seen.has('UNTIL')) return 'must not have both COUNT and UNTIL';
  const isLong = ['MONTHLY', 'YEARLY'].includes(seen.get('FREQ') ?? '');
  if (!isLong && /\d/.test(seen.get('BYDAY') ?? '')) return 'may number a BYDAY only where FREQ is MONTHLY or YEARLY';
  if (!isLong && seen.get('FREQ') === 'WEEKLY' && seen.has('BYMONTHDAY')) {
    return 'must not have BYMONTHDAY where FREQ is WEEKLY';
  }
  if (seen.has('BYSETPOS') && !seen.has('BYDAY') && !seen.has('BYMONTHDAY') && !seen.has('BYMONTH')) {
    return 'must have another BY part beside BYSETPOS';
  }
  return undefined;
}

export const Recurrence = z
  .string()
  .max(255, 'must be at most 255 characters')
  .superRefine((text, context) => {
    const message = mistakeIn(text);
    if (message) context.addIssue({ code: 'custom', message });
  })
  .meta({
    id: 'Recurrence',
    description:
      'An RRULE value of RFC 5545, without `RRULE:`: FREQ (DAILY, WEEKLY, MONTHLY, YEARLY), INTERVAL, COUNT or UNTIL, ' +
      'BYDAY, BYMONTHDAY, BYMONTH, BYSETPOS, WKST. The start must be one of its occurrences.',
    examples: ['FREQ=WEEKLY;COUNT=12'],
  });
