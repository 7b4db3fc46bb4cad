import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The root of the repository, with the configuration of the linter. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const require = createRequire(import.meta.url);
const PROGRAM = require.resolve('@redocly/cli/bin/cli.js');
const OUTPUT_BYTES = 64 * 2 ** 20;

/**
 * Runs Redocly's CLI in a folder and parses its output. It exits with an error if it finds something. The folder
 * decides which configuration it reads: with ours, which is for linting, `diff` would report nothing.
 */
export function redocly(folder: string, args: readonly string[]): Promise<unknown> {
  // Disables telemetry and update checks.
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const options = { cwd: folder, env, maxBuffer: OUTPUT_BYTES };
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
