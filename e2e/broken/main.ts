import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, env, execPath, exit, stdout } from 'node:process';
import { copyRepository } from './copy-repository.ts';
import type { BrokenProduct } from './broken-product.ts';
import { BROKEN_PRODUCTS } from './products.ts';

// npm run check:tests [name…]: breaks a copy of the product in one way after the other, runs the test that has to see
// it, and expects that it fails for that reason.

/** The sentences of a checker's complaint, as Jest prints them. */
const SENTENCE = /^\s*\+\s{5,}"(.*)",?$/;
const SENTENCES_SHOWN = 5;
/** Some breaks show in a race alone, which a short history may not have. */
const LONG = { HISTORY_MESSAGES: '20000' };

function breakIn(folder: string, { name, edits }: BrokenProduct): void {
  for (const { file, from, to } of edits) {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${name}: this must be in ${file} once: ${from}`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
}

/** What the test says about the broken product. */
function testOutput(broken: BrokenProduct): string {
  const folder = copyRepository();
  try {
    breakIn(folder, broken);
    const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', broken.test];
    const run = spawnSync(execPath, jest, { cwd: folder, encoding: 'utf8', env: { ...env, ...LONG } });
    return run.stdout + run.stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let unseen = 0;
for (const broken of BROKEN_PRODUCTS.filter(({ name }) => argv.length === 2 || argv.includes(name))) {
  stdout.write(`${broken.name}: ${broken.what}\n`);
  const output = testOutput(broken);
  const missing = broken.seenAs.filter(text => !output.includes(text));
  unseen += missing.length;
  const complaints = [...output.matchAll(/^\s*\+\s+"(\w+)": Array \[/gm)].map(([, checker]) => checker);
  const sentences = output.split('\n').flatMap(line => SENTENCE.exec(line)?.[1] ?? []);
  for (const text of [...broken.seenAs, ...complaints])
    stdout.write(`  ${output.includes(`${text}`) ? 'seen' : 'NOT SEEN'}: ${text}\n`);
  for (const sentence of sentences.slice(0, SENTENCES_SHOWN)) stdout.write(`    ${sentence}\n`);
  if (missing.length > 0) stdout.write(`${output}\n`);
}
exit(unseen > 0 ? 1 : 0);
