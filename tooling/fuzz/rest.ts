import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fuzzPrograms } from '@enterprise-access/services';
import type { Caller } from './trpc.ts';

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
].join();

/** One run of schemathesis over the whole document; resolves with its report and whether every check held. */
export function runSchemathesis(
  url: string,
  { token }: Caller,
  wanted: {
    readonly examples: number;
    readonly seed: number;
    readonly phases: string;
    readonly seconds: number;
    readonly folder: string;
  },
): Promise<{ readonly isGood: boolean; readonly report: string }> {
  const args = [
    ['run', `${url}/openapi.json`, '--url', url],
    ['--checks', CHECKS, '--phases', wanted.phases, '--continue-on-failure'],
    ['--max-examples', String(wanted.examples), '--seed', String(wanted.seed), '--workers', '2'],
    ['--max-time', String(Math.ceil(wanted.seconds)), '--request-timeout', '30'],
    ['--suppress-health-check', 'all', '--generation-database', 'none', '--no-color', '--warnings', 'off'],
    ...(token === null ? [] : [['--header', `Authorization: JWT ${token}`]]),
  ].flat();
  return new Promise((resolve, reject) => {
    const options = { cwd: wanted.folder, maxBuffer: 256 * 1024 * 1024, env: { ...process.env, PYTHONHASHSEED: '0' } };
    execFile(join(fuzzPrograms(), 'schemathesis'), args, options, (error, stdout, stderr) => {
      // Exit code 1: some checks failed. Other codes: schemathesis itself failed.
      if (error && error.code !== 1)
        reject(new Error(`schemathesis ended early: ${stdout}${stderr}`, { cause: error }));
      // A fault of the generator itself is listed as an error, and says nothing about the API.
      else resolve({ isGood: !/^Failures:$/m.test(stdout), report: stdout });
    });
  });
}
