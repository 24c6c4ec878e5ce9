import { connect } from 'node:net';

// A WebSocket client on a bare TCP socket: the load shares the machine with what is measured, so it must be cheap; and
// some of these clients do what no library would.

export interface WebSocketEvents {
  open(): void;
  text(text: string): void;
  /** Once, whoever closed it, and also when it could never be opened. */
  close(): void;
}

export interface WebSocket {
  sendText(text: string): void;
  /** Sends frames that were made before. @param sent called when the kernel has taken them */
  sendFrames(frames: Buffer, sent: () => void): void;
  /** Reads nothing any more: the peer's data stays in the kernel's buffers, then in the peer's. */
  stopReading(): void;
  destroy(): void;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

const REQUEST = [
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  '\r\n',
].join('\r\n');
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const ACCEPTED = 'HTTP/1.1 101';

const TEXT = 0x1;
const CLOSE = 0x8;
const FINAL = 0x80;
const MASKED = 0x80;
const MASK_BYTES = 4;
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;

export function openWebSocket(target: Target, events: WebSocketEvents): WebSocket {
  const tcp = connect({ ...target, noDelay: true });
  const readFrames = createFrameReader((opcode, payload) => {
    if (opcode === TEXT) events.text(payload.toString());
    else if (opcode === CLOSE) tcp.end();
  });
  let head: Buffer | undefined = Buffer.alloc(0);
  tcp.on('data', chunk => {
    if (!head) {
      readFrames(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const rest = head.subarray(end + END_OF_HEAD.length);
    if (!head.toString('latin1', 0, ACCEPTED.length).startsWith(ACCEPTED)) {
      tcp.destroy();
      return;
    }
    head = undefined;
    events.open();
    if (rest.length > 0) readFrames(rest);
  });
  // What went wrong does not matter: `close` follows.
  tcp.on('error', () => undefined);
  tcp.on('close', () => events.close());
  tcp.write(REQUEST);
  return {
    sendText: text => void tcp.write(textFrame(text)),
    sendFrames: (frames, sent) => void tcp.write(frames, sent),
    stopReading: () => void tcp.pause(),
    destroy: () => void tcp.destroy(),
  };
}

/** A frame from client to server. Its mask is zero, so that masking changes nothing and costs nothing. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const wide = length >= LENGTH_IN_2_BYTES;
  if (length > 0xff_ff) throw new RangeError('the bench sends no frame of more than 65,535 bytes');
  const header = Buffer.alloc((wide ? 4 : 2) + MASK_BYTES);
  header[0] = FINAL | TEXT;
  header[1] = MASKED | (wide ? LENGTH_IN_2_BYTES : length);
  if (wide) header.writeUInt16BE(length, 2);
  return Buffer.concat([header, payload]);
}

/** @returns what takes the bytes as they come, and calls `onFrame` with every whole frame */
function createFrameReader(onFrame: (opcode: number, payload: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return chunk => {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let frame = frameAt(data, at); frame; frame = frameAt(data, at)) {
      onFrame(frame.opcode, data.subarray(frame.start, frame.end));
      at = frame.end;
    }
    // A copy: a few bytes must not keep the whole chunk.
    rest = at === data.length ? Buffer.alloc(0) : Buffer.from(data.subarray(at));
  };
}

function frameAt(data: Buffer, at: number): { opcode: number; start: number; end: number } | undefined {
  if (data.length < at + 2) return undefined;
  const opcode = data.readUInt8(at) & 0x0f;
  const short = data.readUInt8(at + 1) & 0x7f;
  const lengthBytes = short === LENGTH_IN_2_BYTES ? 2 : short === LENGTH_IN_8_BYTES ? 8 : 0;
  const start = at + 2 + lengthBytes;
  if (data.length < start) return undefined;
  const length =
    lengthBytes === 0 ? short : data.readUIntBE(start - Math.min(lengthBytes, 6), Math.min(lengthBytes, 6));
  return data.length < start + length ? undefined : { opcode, start, end: start + length };
}
