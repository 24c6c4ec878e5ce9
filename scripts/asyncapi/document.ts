import { readFileSync } from 'node:fs';
import { configRows } from '@rapport/contracts';
import { stringify } from 'yaml';
import { natsFace } from './nats-face.ts';
import { openSchemaBook, type JsonObject } from './schemas.ts';
import { socketFace } from './socket-face.ts';

const { version } = JSON.parse(readFileSync(new URL('../../libs/contracts/package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const DESCRIPTION = `The real-time backbone of a therapy platform, from both sides: what client apps see on their one
Socket.IO connection, and what service teams see on NATS.

Every event from a client takes an optional ack callback; \`ok: true\` to anything that writes means that it is
committed. A refused handshake arrives as \`connect_error\`, whose \`message\` is the code. Unknown fields in an
input are ignored; unknown fields in an output are to be expected. \`x-health-data\` marks what is health data or
names a person: it is never logged.
`;

/** The AsyncAPI document of both faces, as an object. It follows from the contracts alone. */
export function asyncApiDocument(): JsonObject {
  const book = openSchemaBook();
  const socket = socketFace(book);
  const nats = natsFace(book);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Rapport',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      gateway: {
        host: `localhost:${configRows.PORT.default}`,
        pathname: '/socket.io/',
        protocol: 'ws',
        title: 'The gateway',
        description: 'Socket.IO 4, WebSocket first. The token goes into `handshake.auth.token`.',
        security: [{ $ref: '#/components/securitySchemes/token' }],
      },
      nats: {
        host: `localhost:${configRows.NATS_PORT.default}`,
        protocol: 'nats',
        title: 'NATS',
        description: 'Each process has a user of its own, which may publish and subscribe to what this page gives it.',
        security: [{ $ref: '#/components/securitySchemes/natsUser' }],
      },
    },
    channels: { ...socket.channels, ...nats.channels },
    operations: { ...socket.operations, ...nats.operations },
    components: {
      messages: { ...socket.messages, ...nats.messages },
      schemas: book.schemas(),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A JSON Web Token in `handshake.auth.token`: claims `sub`, `exp`, and `role`, `therapistId`, `name`.',
        },
        natsUser: { type: 'userPassword', description: 'The NATS user and password of the process.' },
      },
    },
  };
}

/** The text of `docs/asyncapi.yaml`. */
export function asyncApiText(): string {
  const header = '# Generated from libs/contracts by `npm run generate`. Do not edit.\n';
  return header + stringify(asyncApiDocument(), { lineWidth: 120, aliasDuplicateObjects: false, version: '1.1' });
}
