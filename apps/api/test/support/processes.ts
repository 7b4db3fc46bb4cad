import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { quickStart } from '../../../../tooling/test/children.ts';
import { openLog } from '../../../../tooling/test/logs.ts';
import { SECRET } from './harness.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ApiProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Kills the process. */
  kill(): Promise<void>;
  /** Stops the process with SIGTERM; returns its exit code. */
  stop(): Promise<number | null>;
}

/** Starts the API as a separate process, as in production but with fake services. */
export async function startApiProcess(
  databaseUrl: string,
  sandboxUrl: string,
  more: Readonly<Record<string, string>> = {},
): Promise<ApiProcess> {
  const child = fork(MAIN, {
    execArgv: [...quickStart],
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      PORT: '0',
      LOG_LEVEL: 'info',
      DATABASE_URL: databaseUrl,
      JWT_SECRET_KEY: SECRET,
      LMS_URL: `${sandboxUrl}/lms`,
      ENTERPRISE_CATALOG_URL: `${sandboxUrl}/catalog`,
      OAUTH2_URL: sandboxUrl,
      BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
      BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
      SANDBOX: 'true',
      ...more,
    },
    stdio: ['ignore', openLog(inject('logFolder')), 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [message] = (await Promise.race([once(child, 'message'), exited.then(() => [null])])) as [
    { ready: string } | null,
  ];
  if (!message) throw new Error('The API did not start.');
  return {
    url: message.ready,
    child,
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

/** Redeems over the network; null if the process died meanwhile. */
export async function redeemAt(
  url: string,
  policy: string,
  token: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: unknown } | null> {
  try {
    const reply = await fetch(`${url}/api/v1/policy-redemption/${policy}/redeem/`, {
      method: 'POST',
      headers: { authorization: `JWT ${token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: reply.status, body: await reply.json() };
  } catch {
    return null;
  }
}
