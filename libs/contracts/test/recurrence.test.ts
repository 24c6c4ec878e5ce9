import { describe, expect, test } from '@jest/globals';
import { userRequests } from '@rapport/contracts';

const recurrence = userRequests['appointment:book'].input.shape.recurrence;
const mistake = (text: string) => recurrence.safeParse(text).error?.issues[0]?.message;

describe('a recurrence', () => {
  test.each([
    'FREQ=DAILY',
    'FREQ=WEEKLY;COUNT=12',
    'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20270301T080000Z',
    'FREQ=WEEKLY;UNTIL=20270301;WKST=SU',
    'FREQ=MONTHLY;BYDAY=-1FR',
    'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1',
    'FREQ=MONTHLY;BYMONTHDAY=1,-1',
    'FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=15',
    'BYDAY=MO;FREQ=WEEKLY',
  ])('%s is one', text => {
    expect(mistake(text)).toBeUndefined();
  });

  test.each([
    ['', 'may have the parts'],
    ['weekly', 'may have the parts'],
    ['RRULE:FREQ=WEEKLY', 'may have the parts'],
    ['FREQ=HOURLY', 'FREQ'],
    ['FREQ=SECONDLY;INTERVAL=1', 'FREQ'],
    ['FREQ=weekly', 'FREQ'],
    ['COUNT=3', 'must have FREQ'],
    ['FREQ=DAILY;FREQ=WEEKLY', 'must have FREQ once'],
    ['FREQ=DAILY;COUNT=0', 'COUNT'],
    ['FREQ=DAILY;INTERVAL=0', 'INTERVAL'],
    ['FREQ=DAILY;COUNT=3;UNTIL=20270101', 'both COUNT and UNTIL'],
    ['FREQ=DAILY;UNTIL=20271301', 'UNTIL'],
    ['FREQ=DAILY;UNTIL=20270101T080000', 'UNTIL'],
    ['FREQ=WEEKLY;BYDAY=1MO', 'may number a BYDAY'],
    ['FREQ=WEEKLY;BYMONTHDAY=1', 'must not have BYMONTHDAY'],
    ['FREQ=MONTHLY;BYMONTHDAY=32', 'BYMONTHDAY'],
    ['FREQ=MONTHLY;BYSETPOS=1', 'another BY part'],
    ['FREQ=DAILY;BYHOUR=9,10', 'may have the parts'],
    ['FREQ=WEEKLY\nEXDATE:20270101T080000Z', 'FREQ'],
    ['FREQ=WEEKLY;constructor=1', 'may have the parts'],
    ['FREQ=WEEKLY;COUNT=3=4', 'COUNT'],
    [`FREQ=WEEKLY;BYDAY=${'MO,'.repeat(100)}MO`, 'at most 255'],
  ])('%j is none, and it is said why', (text, why) => {
    expect(mistake(text)).toContain(why);
  });
});
