import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ComposeFile } from './compose-file.ts';
import { readDockerfile, type Image } from './dockerfile.ts';
import { strangers } from './image-content.ts';
import { buildInFolder } from './image-folder.ts';
import { healthcheckMistakes, startMistakes } from './image-run.ts';

export interface ImageReport {
  readonly mistakes: string[];
  /** RUN lines that only mean something inside a container. */
  readonly leftOut: string[];
}

/** Builds a Dockerfile's image in an empty folder, looks at what is in it, and starts each of its commands. */
export async function checkImage(dockerfile: string, compose: ComposeFile, root: string): Promise<ImageReport> {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'rapport-image-')));
  try {
    const image = readDockerfile(readFileSync(join(root, dockerfile), 'utf8'));
    const wrong = formMistakes(image, root);
    if (wrong.length > 0) return { mistakes: wrong, leftOut: [] };
    const folder = join(scratch, 'image');
    mkdirSync(folder);
    const leftOut = await buildInFolder(image, root, folder);
    const mistakes = strangers(folder, workspaceOf(image));
    const where = { folder, workdir: image.workdir, startedIn: folder };
    for (const { command, isElsewhere } of commandsOf(dockerfile, image, compose)) {
      mistakes.push(...(await startMistakes(command, isElsewhere ? { ...where, startedIn: scratch } : where)));
    }
    if (image.healthcheck) mistakes.push(...(await healthcheckMistakes(image.healthcheck, where)));
    return { mistakes, leftOut };
  } catch (error) {
    return { mistakes: [error instanceof Error ? error.message : String(error)], leftOut: [] };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function formMistakes(image: Image, root: string): string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const from = `node:${manifest.devDependencies['node']}-slim`;
  return [
    ...(image.from === from ? [] : [`FROM ${image.from} is not ${from}, which the tests run on`]),
    ...(image.user === 'node' ? [] : ['it runs as root: USER node is missing']),
    ...(image.stopSignal === 'SIGTERM' ? [] : ['STOPSIGNAL SIGTERM is missing']),
    ...(image.command[0] === 'node' ? [] : ['CMD is not of the form ["node", …], which gets the stop signal itself']),
  ];
}

/** `["node", "gateway/src/main.ts"]` → `gateway` */
function workspaceOf({ command }: Image): string {
  return (command[1] ?? '').replace(/[/]src[/].*$/, '');
}

/** The image's own command, and those that the compose file gives it instead. */
function commandsOf(dockerfile: string, image: Image, compose: ComposeFile) {
  const others = Object.values(compose.services)
    .filter(({ build, command }) => build?.dockerfile === dockerfile && command)
    .map(({ command = [], working_dir }) => ({ command, isElsewhere: working_dir !== undefined }));
  return [{ command: image.command, isElsewhere: false }, ...others];
}
