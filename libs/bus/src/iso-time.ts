let latest: { at: number; text: string } | undefined;

/** As `toISOString`, which is remembered for the latest: all that a batch writes and sends has one time. */
export function isoTime(date: Date): string {
  const at = date.getTime();
  if (latest?.at !== at) latest = { at, text: date.toISOString() };
  return latest.text;
}
