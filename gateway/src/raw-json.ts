import { Decoder, Encoder, PacketType, type Packet } from 'socket.io-parser';

/** JSON text that came over NATS and goes to a socket as it is. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Socket.IO's own wire format, except that a `RawJson` argument is spliced into the packet instead of
 * being parsed by the gateway and stringified again. Clients notice nothing.
 */
class RawJsonEncoder extends Encoder {
  override encode(packet: Packet): unknown[] {
    const data: unknown = packet.data;
    if (!Array.isArray(data) || !(data.at(-1) instanceof RawJson)) return super.encode(packet);
    const args = data.map(arg => (arg instanceof RawJson ? arg.text : JSON.stringify(arg)));
    const namespace = packet.nsp && packet.nsp !== '/' ? `${packet.nsp},` : '';
    return [`${packet.type}${namespace}${packet.id ?? ''}[${args.join(',')}]`];
  }
}

export const rawJsonParser = { Encoder: RawJsonEncoder, Decoder, PacketType };
