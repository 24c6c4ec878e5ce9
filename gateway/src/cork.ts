import type { GatewayServer, GatewaySocket } from './gateway-socket.ts';

interface Corkable {
  readonly writableCorked: number;
  cork(): void;
  uncork(): void;
}

/**
 * Has what goes to one client in one turn of the event loop leave with one system call: a batch brings several acks
 * and deliveries for the same client, and a call for each costs more than everything else that is done for it.
 */
export function corkWrites({ engine }: GatewayServer): void {
  engine.on('flush', ({ transport }: GatewaySocket['conn']) => {
    // The type hides the socket of the transport, and that hides its connection; long-polling has neither.
    const { socket } = transport as unknown as { socket?: { _socket?: Corkable | null } };
    const connection = socket?._socket;
    if (!connection || connection.writableCorked > 0) return;
    connection.cork();
    process.nextTick(() => connection.uncork());
  });
}
