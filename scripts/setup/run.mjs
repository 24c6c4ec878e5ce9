import { spawn } from 'node:child_process';

/** A failure with one line for a person: what is wrong and what to do about it. No stack trace is shown. */
export class SetupError extends Error {}

/**
 * Runs a program to its end and returns what it printed.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, show?: boolean }} [options] `show`: print its output as it comes
 * @returns {Promise<string>}
 * @throws {Error} when it cannot be started or ends with another code than 0; the message ends with its last lines
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', options.show ? 'inherit' : 'pipe', options.show ? 'inherit' : 'pipe'],
    });
    let output = '';
    const keep = chunk => {
      output += chunk;
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error([`${command} ended with ${signal ?? `code ${code}`}`, lastLines(output)].join(': ')));
    });
  });
}

function lastLines(output) {
  return output.trim().split('\n').slice(-2).join(' · ') || 'see above';
}
