import { readFileSync, writeFileSync } from 'node:fs';
import { asyncApiText } from './asyncapi/document.ts';
import { asyncApiErrors } from './asyncapi/validate.ts';
import { envExampleText } from './env-example.ts';

// Writes the files that follow from libs/contracts; with --check, says which of them are not what they should be.

const root = new URL('../', import.meta.url);
const checking = process.argv.includes('--check');

const files = { 'docs/asyncapi.yaml': asyncApiText(), '.env.example': envExampleText() };
const mistakes = (await asyncApiErrors(files['docs/asyncapi.yaml'])).map(error => `AsyncAPI: ${error}`);

for (const [name, text] of Object.entries(files)) {
  if (!checking) {
    writeFileSync(new URL(name, root), text);
    console.log(`wrote ${name}`);
  } else if (read(name) !== text) {
    mistakes.push(`${name} is not what libs/contracts says: run \`npm run generate\` and commit the result`);
  }
}

for (const mistake of mistakes) console.error(mistake);
if (mistakes.length > 0) process.exitCode = 1;

function read(name: string): string | undefined {
  try {
    return readFileSync(new URL(name, root), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
