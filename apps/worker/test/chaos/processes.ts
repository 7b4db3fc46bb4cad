import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface WorkerProcess {
  readonly url: string;
  readonly pid: number;
  /** Ends the process as a crash does. */
  kill(): Promise<void>;
  /** Ends it as an operator does; answers with its exit code. */
  stop(): Promise<number | null>;
}

const upstreams = {
  LMS_URL: 'http://127.0.0.1:9/lms',
  ENTERPRISE_CATALOG_URL: 'http://127.0.0.1:9/catalog',
  OAUTH2_URL: 'http://127.0.0.1:9',
  BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
  BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
};

/** A worker as a process of its own, on any free port. */
export async function startWorkerProcess(
  main: URL,
  environment: Readonly<Record<string, string>>,
): Promise<WorkerProcess> {
  const child = fork(fileURLToPath(main), {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      WORKER_PORT: '0',
      LOG_LEVEL: process.env.WORKER_LOG_LEVEL ?? 'fatal',
      ...upstreams,
      ...environment,
    },
    execArgv: [],
    stdio: ['ignore', process.env.WORKER_LOG_LEVEL ? 'inherit' : 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [message] = (await Promise.race([once(child, 'message'), exited.then(() => [null])])) as [
    { ready: string } | null,
  ];
  if (!message) throw new Error('The worker did not start.');
  return {
    url: message.ready,
    pid: child.pid ?? 0,
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
