import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { supervised } from '@enterprise-access/db/servers';
import { folders } from './paths.ts';
import { isListening, portFor } from './ports.ts';

export interface RunningStripeMock {
  readonly url: string;
  stop(): Promise<void>;
}

const PROGRAM = 'stripe-mock';
const programIn = (): string => join(folders.stripeMock(), PROGRAM);

/** Why stripe-mock cannot be started here, or null when it can. */
export const stripeMockMissing = (): string | null =>
  existsSync(programIn()) ? null : 'stripe-mock is not installed (npm run services:install, needs Go)';

/** Stripe's own stand-in: without state, it checks each request against the description of the API. */
export async function startStripeMock(options: { logFile: string; port?: number }): Promise<RunningStripeMock> {
  const port = await portFor(options);
  await mkdir(dirname(resolve(options.logFile)), { recursive: true });
  const server = supervised(
    { program: programIn(), args: ['-http-addr', `127.0.0.1:${port}`] },
    { logFile: options.logFile, stopSignal: 'SIGTERM' },
  );
  await server.ready(() => isListening(port), 20_000);
  return { url: `http://127.0.0.1:${port}`, stop: server.stop };
}
