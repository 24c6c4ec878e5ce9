import type { MsgHdrs } from '@nats-io/nats-core';

const START = 'NATS/1.0\r\n';
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
