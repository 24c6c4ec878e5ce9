import { createLogger, runCommand } from '@rapport/service';
import { connectDatabase } from '@rapport/service/database';
import { createSeal } from '@rapport/service/seal';
import { database } from './database.ts';
import { rotateContentKeys } from './rotate-content-keys.ts';

// `npm run rotate-content-keys`: encrypts all stored messages with the first of CONTENT_KEYS. When it has ended by
// itself, no other key is needed any more.

/** A line for so many texts. */
const TELL_EVERY = 10_000;

await runCommand('messaging-service rotate-content-keys', 'messaging-service', async config => {
  const log = createLogger('messaging-service', config.LOG_LEVEL);
  const { orm, pool } = await connectDatabase({ url: config.DATABASE_URL, poolSize: 2, definition: database });
  const seal = createSeal(config.CONTENT_KEYS);
  let told = 0;
  let rotated = 0;
  try {
    await rotateContentKeys(pool, seal, count => {
      rotated = count;
      if (rotated - told < TELL_EVERY) return;
      told = rotated;
      log.info({ rotated }, 'content keys are being rotated');
    });
    log.info({ rotated, key: seal.currentKeyId }, 'every stored text is under the current content key');
  } finally {
    await orm.close(true);
  }
});
