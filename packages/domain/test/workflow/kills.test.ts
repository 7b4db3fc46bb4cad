import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { transaction } from '@enterprise-access/db';
import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { newUuid } from '../../src/kernel/ids.ts';
import { runJob } from '../../src/kernel/jobs/attempt.ts';
import { defineWorkflow } from '../../src/kernel/workflow.ts';
import { emptyWorld, testRuntime } from '../../src/testing.ts';
import { start } from '../../src/workflow/index.ts';
import { wakeJob } from '../../src/workflow/jobs.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const EXECUTOR = fileURLToPath(new URL('./executor.ts', import.meta.url));

const points = [
  'in the first transaction',
  'after the first transaction',
  'before the effect',
  'after the effect',
  'in the transaction after the effect',
  'after the record of the effect',
] as const;

// The executor has the steps; to start it only the name is needed.
const journey = defineWorkflow({ kind: 'test.journey', version: 1, title: 'A journey', input: z.object({}) });

describe.each(dialects)('an executor on %s', (dialect) => {
  let database: TestDatabase;
  let effects: Server;
  const made: string[] = [];
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
    effects = createServer(({ method, url = '' }, reply) => {
      const isThere = made.includes(url);
      if (method === 'POST') made.push(url);
      reply.statusCode = method === 'POST' || isThere ? 200 : 404;
      reply.end(JSON.stringify({ made: url }));
    });
    await new Promise<void>((resolve) => effects.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    effects.close();
    await database.drop();
  });

  const run = (uuid: string, killAt = '') =>
    new Promise<{ state: string; signal: string | null }>((resolve) => {
      const { port } = effects.address() as AddressInfo;
      const env = {
        ...process.env,
        DATABASE: database.url,
        WORKFLOW: uuid,
        EFFECTS: `http://127.0.0.1:${port}`,
        KILL_AT: killAt,
      };
      execFile(process.execPath, [EXECUTOR], { env }, (error, stdout) =>
        resolve({ state: stdout, signal: error?.signal ?? null }),
      );
    });

  test('that is killed at every boundary, one after the other, is followed by one that finishes; each effect is made once', {
    timeout: 120_000,
  }, async () => {
    const { db } = database;
    const runtime = testRuntime(db, { ...emptyWorld(), now: new Date() });
    const { uuid } = await transaction(db, (trx) =>
      start(runtime, trx, journey, { key: newUuid(), customer: null, input: {} }),
    );
    for (const point of points) {
      expect([point, await run(uuid, point)]).toMatchObject([point, { signal: 'SIGKILL' }]);
      // The lease of the dead executor ends; then the scheduled job finds the workflow.
      const past = new Date(Date.now() - 10_000);
      await db('workflows').where({ uuid }).update({ lease_ends: past, modified: past });
      await db('outbox').delete();
      const attempt = { payload: {}, signal: new AbortController().signal, dryRun: false, isLast: true };
      await runJob({ ...runtime, clock: () => new Date() }, wakeJob, { uuid: newUuid(), ...attempt });
      expect(await db('outbox').where({ name: 'workflow.run', message_key: uuid })).toHaveLength(1);
    }
    expect(await run(uuid)).toEqual({ state: 'succeeded', signal: null });
    expect(made.filter((url) => url === `/${uuid}`)).toHaveLength(1);
    const own: string[] = await db('inbox').where({ message_id: uuid }).orderBy('consumer').pluck('consumer');
    expect(own).toEqual(['first', 'second', 'third']);
  });
});
