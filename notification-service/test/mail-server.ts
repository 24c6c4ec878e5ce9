import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';

/** An e-mail that the server has said 250 to. */
interface Mail {
  readonly to: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly raw: string;
}

export interface MailServer {
  readonly url: string;
  readonly mails: readonly Mail[];
  /** Each DATA that arrived, accepted or not. */
  readonly tried: number;
  /** Breaks every connection and refuses new ones. */
  cutOff(): Promise<void>;
  /** Is there again, under the same URL. */
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

/** What the server does with an e-mail that it has received: `undefined` accepts. */
export type Judge = (mail: Mail) => { responseCode: number } | 'drop' | undefined;

/** A real mail server on this machine. */
export async function mailServer(judge: Judge = () => undefined): Promise<MailServer> {
  const mails: Mail[] = [];
  let tried = 0;
  let port = 0;
  let server: SMTPServer | undefined;
  /** By the port of the client. */
  const sockets = new Map<number, Socket>();

  const receive = async (stream: SMTPServerDataStream, to: string, destroy: () => void): Promise<Error | undefined> => {
    const raw = await text(stream);
    tried += 1;
    const mail = { to, headers: headersOf(raw), raw };
    const judged = judge(mail);
    if (judged === 'drop') {
      destroy();
      return undefined;
    }
    if (judged) return Object.assign(new Error('judged'), judged);
    mails.push(mail);
    return undefined;
  };

  const start = async (): Promise<void> => {
    const starting = new SMTPServer({
      authOptional: true,
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      onData: (stream, session, done) => {
        const to = session.envelope.rcptTo[0]?.address ?? '';
        const drop = (): void => void sockets.get(session.remotePort)?.destroy();
        receive(stream, to, drop).then(error => done(error), done);
      },
    });
    starting.on('error', () => undefined);
    starting.server.on('connection', (socket: Socket) => {
      const { remotePort = 0 } = socket;
      sockets.set(remotePort, socket);
      socket.on('close', () => sockets.delete(remotePort));
    });
    starting.listen(port, '127.0.0.1');
    await once(starting.server, 'listening');
    ({ port } = starting.server.address() as AddressInfo);
    server = starting;
  };

  const stop = async (): Promise<void> => {
    const stopping = server;
    if (!stopping) return;
    server = undefined;
    const closed = new Promise<void>(resolve => {
      stopping.close(() => resolve());
    });
    for (const socket of sockets.values()) socket.destroy();
    await closed;
  };

  await start();
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    get tried() {
      return tried;
    },
    cutOff: stop,
    comeBack: start,
    stop,
  };
}

function headersOf(raw: string): Map<string, string> {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ');
  return new Map(
    head.split('\r\n').map(line => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}
