import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** The worker as a process of its own, as in production but for the stand-in services. */
export async function startWorkerProcess(env: Readonly<Record<string, string>>) {
  const child = fork(MAIN, {
    env: { PATH: process.env.PATH, NODE_ENV: 'test', WORKER_PORT: '0', LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [message] = (await Promise.race([once(child, 'message'), exited.then(() => [null])])) as [
    { ready: string } | null,
  ];
  if (!message) throw new Error('The worker did not start.');
  return {
    url: message.ready,
    /** Ends it as an operator does; answers with its exit code. */
    async stop(): Promise<number | null> {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}
