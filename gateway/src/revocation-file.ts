import { access, appendFile, constants, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isId } from '@rapport/contracts';
import { ConfigError } from '@rapport/service/config';

/** Tokens of the user issued before are refused. Milliseconds since 1970. */
export interface Revoked {
  readonly userId: string;
  readonly revokedBefore: number;
}

export interface RevocationFile {
  /** Adds what was learned. Never rejects. */
  append(revoked: readonly Revoked[]): void;
}

const MODE = 0o600;

/**
 * The revocations that gateways on this machine have learned, a line each, only ever added to: several may share it.
 * @returns `undefined` for `known` when there was no file: then nobody knows whether there are any
 * @throws ConfigError when it cannot be written to
 */
export async function openRevocationFile(
  path: string,
  onError: (error: unknown) => void,
): Promise<{ file: RevocationFile; known: Revoked[] | undefined }> {
  const text = await readUnlessMissing(path);
  let writing = Promise.resolve();
  const file: RevocationFile = {
    append(revoked) {
      const lines = revoked
        .map(({ userId, revokedBefore }) => `${JSON.stringify({ userId, revokedBefore })}\n`)
        .join('');
      writing = writing.then(() => appendFile(path, lines, { mode: MODE, flush: true })).catch(onError);
    },
  };
  return { file, known: text?.split('\n').flatMap(readLine) };
}

/** It is not made here: while it is missing, the list is not known. */
async function readUnlessMissing(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return undefined;
    });
    await access(text === undefined ? dirname(path) : path, constants.W_OK);
    return text;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unusable';
    throw new ConfigError([
      `REVOCATIONS_PATH is "${path}", which cannot be used (${reason}); it must be a path that the gateway can write to.`,
    ]);
  }
}

/** The last line may be torn: the machine may have stopped in the middle of it. */
function readLine(line: string): Revoked[] {
  try {
    const { userId, revokedBefore } = JSON.parse(line) as Partial<Revoked>;
    return isId(userId) && Number.isSafeInteger(revokedBefore)
      ? [{ userId, revokedBefore: Number(revokedBefore) }]
      : [];
  } catch {
    return [];
  }
}
