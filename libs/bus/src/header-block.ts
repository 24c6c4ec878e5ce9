import type { Msg, MsgHdrs } from '@nats-io/nats-core';

export const START = 'NATS/1.0\r\n';
const LINE_BREAK = /[\r\n]/;

/**
 * Headers that are only to be sent, as lines of text: what the library does to look them up, add and change costs more
 * than the rest of a message. Sending asks nothing of them but `encode`.
 * @param lines each ends with a line break, as `headerLine` makes them
 */
export function headerBlock(lines: string): MsgHdrs {
  const block = { encode: () => Buffer.from(`${START}${lines}\r\n`) };
  return block as unknown as MsgHdrs;
}

/** @throws TypeError when the value would be another header */
export function headerLine(name: string, value: string): string {
  if (LINE_BREAK.test(value)) throw new TypeError(`a line break in the header ${name}`);
  return `${name}: ${value}\r\n`;
}

/**
 * The headers of a message as they came, for `headerOf`: where a message comes for every one that somebody sends, the
 * library's reading of them costs more than all that is done with it.
 */
export function headersOf(message: Msg): string {
  const { data, subject, reply } = message;
  // The type hides the size: that of subject, reply, headers and body together.
  const bytes = (message as unknown as { size(): number }).size() - subject.length - (reply?.length ?? 0) - data.length;
  const start = data.byteOffset - bytes;
  if (bytes <= 0 || start < 0) return '';
  // They came right before the body.
  return Buffer.from(data.buffer, start, bytes).toString('latin1');
}

/** @returns the value of the header; `undefined` when there is none */
export function headerOf(headers: string, name: string): string | undefined {
  const start = headers.indexOf(`\r\n${name}: `);
  if (start === -1) return undefined;
  const valueStart = start + name.length + 4;
  return headers.slice(valueStart, headers.indexOf('\r\n', valueStart));
}
