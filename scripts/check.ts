import { spawnSync } from 'node:child_process';
import { styleText } from 'node:util';

// Everything that must hold besides the tests. All of it runs, so that one round shows every mistake.

interface Step {
  readonly heading: string;
  readonly command: string;
  /** What to do when it fails, where the step's own output does not say. */
  readonly hint?: string;
}

const STEPS: readonly Step[] = [
  { heading: 'Format', command: 'oxfmt --check .', hint: 'npm run format' },
  { heading: 'Lint', command: 'oxlint' },
  { heading: 'Types', command: 'tsc -p .' },
  {
    heading: 'Direction of imports',
    command:
      'depcruise --config .dependency-cruiser.mjs --output-type err-long libs gateway *-service scripts bench e2e',
  },
  { heading: 'Unused files, exports and dependencies', command: 'knip' },
  // Types stay out of this one: a package may name what its functions take and return before somebody else does.
  { heading: 'Exports of a package that nobody imports', command: 'knip --include-entry-exports --include exports' },
  { heading: 'Generated files', command: 'node scripts/generate.ts --check', hint: 'npm run generate' },
  { heading: 'Deploy', command: 'node scripts/check-deploy.ts' },
];

function run({ heading, command }: Step): boolean {
  console.log(styleText('bold', `\n── ${heading}: ${command}`));
  const start = performance.now();
  // Through a shell: the tools are scripts in node_modules/.bin, which npm has put on the PATH, and `*` is expanded.
  const { status } = spawnSync(command, { shell: true, stdio: 'inherit' });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(status === 0 ? styleText('green', `ok, ${seconds} s`) : styleText('red', `failed, ${seconds} s`));
  return status === 0;
}

const failed = STEPS.filter(step => !run(step));

console.log(styleText('bold', '\n── Result'));
for (const { heading, hint } of failed) {
  console.log(styleText('red', `failed: ${heading}`) + (hint ? `  (to fix: ${hint})` : ''));
}
if (failed.length === 0) console.log(styleText('green', 'all checks passed'));
process.exitCode = failed.length === 0 ? 0 : 1;
