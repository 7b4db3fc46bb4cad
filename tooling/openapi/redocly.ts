import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The root of the repository: the linter looks for its configuration in the folder where it runs. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = createRequire(import.meta.url).resolve('@redocly/cli/bin/cli.js');
const OUTPUT_BYTES = 64 * 2 ** 20;

/** Runs Redocly's tool and parses what it answers. It ends with an error whenever it finds something. */
export function redocly(...args: readonly string[]): Promise<unknown> {
  // It would call home for statistics and to look for its own updates.
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const options = { cwd: ROOT, env, maxBuffer: OUTPUT_BYTES };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [PROGRAM, ...args, '--format', 'json'], options, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout));
      } catch (cause) {
        reject(new Error(`Redocly failed: ${stderr}`, { cause }));
      }
    });
  });
}
