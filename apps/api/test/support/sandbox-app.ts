import type { Dialect } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { buildRuntime } from '@enterprise-access/platform';
import { type SandboxOptions, startSandbox } from '@enterprise-access/sandbox';
import { sandboxMail, seedDemonstration } from '@enterprise-access/start/demonstration';
import { inject } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { judge } from './conformance.ts';
import { testEnvironment } from './harness.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The application as in production, with real clients for the fake services. */
export async function startSandboxApp(dialect: Dialect, options: SandboxOptions = {}) {
  const { url, db, drop } = await createTestDatabase(inject('servers'), dialect, 5);
  await seedDemonstration(db);
  const sandbox = await startSandbox(options);
  const env = testEnvironment({
    DATABASE_URL: url,
    LMS_URL: `${sandbox.url}/lms`,
    ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
    ...sandboxMail(sandbox.url),
    OAUTH2_URL: sandbox.url,
  });
  const runtime = buildRuntime(env, silent, 'http://access.test');
  const app = await buildApp({ env, runtime });
  return {
    db,
    sandbox,
    runtime,
    /** Calls the control API of the fake services. */
    async control(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<void> {
      const reply = await fetch(`${sandbox.url}/control${path}`, {
        method,
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      if (!reply.ok) throw new Error(`The sandbox answered ${reply.status}: ${await reply.text()}`);
    },
    async call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, token: string | null, body?: unknown) {
      const reply = await app.inject({
        method,
        url: path,
        headers: token === null ? {} : { authorization: `JWT ${token}` },
        ...(body === undefined ? {} : { payload: body as object }),
      });
      judge({ method, url: path }, reply);
      const isJson = String(reply.headers['content-type'] ?? '').includes('json');
      return {
        status: reply.statusCode,
        headers: reply.headers,
        body: reply.body === '' ? null : isJson ? reply.json() : reply.body,
      };
    },
    async stop() {
      await app.close();
      await runtime.close();
      await sandbox.close();
      await drop();
    },
  };
}
