import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { quickStart } from '../../../../tooling/test/children.ts';
import { openLog } from '../../../../tooling/test/logs.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url);

export interface WorkerProcess {
  readonly url: string;
  readonly pid: number;
  /** What it has logged so far. */
  output(): string;
  /** Kills the process. */
  kill(): Promise<void>;
  /** Stops it with SIGTERM; returns its exit code. */
  stop(): Promise<number | null>;
}

/** Environment of a worker: databases and fake services. */
export const settingsFor = (businessUrl: string, queuesUrl: string, sandboxUrl: string) => ({
  DATABASE_URL: businessUrl,
  JOBS_DATABASE_URL: queuesUrl,
  LMS_URL: `${sandboxUrl}/lms`,
  ENTERPRISE_CATALOG_URL: `${sandboxUrl}/catalog`,
  OAUTH2_URL: sandboxUrl,
  BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
  BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
});

/** Starts the worker as a separate process, as in production but with fake services. */
export async function startWorkerProcess(
  env: Readonly<Record<string, string>>,
  main: URL = MAIN,
): Promise<WorkerProcess> {
  const child = fork(fileURLToPath(main), {
    execArgv: [...quickStart],
    env: { PATH: process.env.PATH, NODE_ENV: 'test', WORKER_PORT: '0', LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const log = openLog(inject('logFolder'));
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    writeSync(log, chunk);
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [message] = (await Promise.race([once(child, 'message'), exited.then(() => [null])])) as [
    { ready: string } | null,
  ];
  if (!message) throw new Error('The worker did not start.');
  return {
    url: message.ready,
    pid: child.pid ?? 0,
    output: () => output,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}
