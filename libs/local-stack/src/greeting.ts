import { styleText } from 'node:util';
import jwt from 'jsonwebtoken';
import { localJsonIn } from './local-json.ts';
import type { Stack } from './stack-options.ts';

/** Long enough that a script pasted today works tomorrow; a token of a laptop that is lost does not work for ever. */
const TOKEN_DAYS = 7;

const PEOPLE = [
  { subject: 'alice', role: 'client', name: 'Alice' },
  { subject: 'dr-bob', role: 'therapist', name: 'Dr Bob' },
] as const;

/** What `npm start` says when everything is ready: where things are, two tokens, and a script to try. */
export function greeting(stack: Stack): string {
  const gateway = stack.gateways[0] ?? '';
  const metrics = Object.entries(stack.metrics).map(([name, url]) => `${url}  (${name})`);
  const tokens = PEOPLE.map(({ subject, role, name }) =>
    jwt.sign({ role, name }, stack.jwtSecret, { algorithm: 'HS256', subject, expiresIn: `${TOKEN_DAYS}d` }),
  );
  return [
    '',
    heading('Rapport is ready.'),
    '',
    ...table([
      ['gateway', ...stack.gateways],
      ['health', `${gateway}/healthz`, `${gateway}/readyz`],
      ['metrics', ...metrics],
      ['NATS', `${stack.nats.developer}  (may watch everything)`],
      ['PostgreSQL', stack.postgres],
      ['all of it', localJsonIn(stack.dataDir)],
    ]),
    '',
    heading(`Two tokens for development, good for ${TOKEN_DAYS} days:`),
    '',
    ...table(PEOPLE.map(({ subject, role }, index) => [`${subject} (${role})`, tokens[index] ?? ''])),
    '',
    heading('To see a message arrive, paste this into another terminal, in this folder:'),
    '',
    "node --input-type=module <<'END'",
    ...script(gateway, tokens),
    'END',
    '',
    '',
  ].join('\n');
}

/** No exclamation mark in it: an interactive shell would take it for a piece of its history. */
function script(gateway: string, tokens: readonly string[]): string[] {
  return [
    "import { io } from 'socket.io-client';",
    `const [alice, bob] = ${JSON.stringify(tokens)}.map(token => io('${gateway}', { auth: { token } }));`,
    "bob.on('connect', () => alice.emit('message:send', { recipientId: 'dr-bob', content: 'Hello, Bob' }))" +
      ".on('message:received', message => { console.log('New message:', message); process.exit(); });",
  ];
}

function heading(text: string): string {
  return styleText('bold', text);
}

/** A name and what belongs to it, one line each. */
function table(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([name = '']) => name.length));
  return rows.flatMap(([name = '', ...lines]) =>
    lines.map((line, index) => `  ${styleText('cyan', (index === 0 ? name : '').padEnd(width))}  ${line}`),
  );
}
