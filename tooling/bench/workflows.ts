import { type Database, transaction } from '@enterprise-access/db';
import { createTestDatabase, type TestServers } from '@enterprise-access/db/testing';
import { advanceWorkflow, defineWorkflow, newUuid, startWorkflow, type Workflow } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { z } from 'zod';
import { alternate, median, type Row, type Settings } from './measure.ts';

const WORKFLOWS = 1_000;
const AT_ONCE = 8;
const NAMES = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'] as const;

const output = z.object({ at: z.int() });

/** Eight steps that each write one row. */
const eight = NAMES.reduce(
  (workflow, name, at) =>
    workflow.own(name, {
      title: name,
      output,
      commit: async (trx, { workflow: { uuid } }) => {
        await trx('inbox').insert({ consumer: name, message_id: uuid, received: new Date() });
        return { at };
      },
    }) as never,
  defineWorkflow({ kind: 'bench.eight', version: 1, title: 'Eight', input: z.object({}) }),
) as unknown as Workflow<z.ZodObject<Record<never, never>>>;

async function inTurns(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  let left = WORKFLOWS;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left > 0) {
        left -= 1;
        await work();
      }
    }),
  );
  return WORKFLOWS / ((performance.now() - start) / 1_000);
}

/** The same rows in as many transactions: the effect, the record of the step, where the workflow stands. */
async function bare(db: Database): Promise<void> {
  const [uuid, now] = [newUuid(), new Date()];
  await db.transaction(async (trx) => {
    await trx('workflows').insert({
      uuid,
      kind: 'bench.bare',
      version: 1,
      idempotency_key: uuid,
      status: 'running',
      input: JSON.stringify({ json: {} }),
      position: 0,
      correlation_id: uuid,
      created: now,
      modified: now,
    });
    const payload = JSON.stringify({ workflowUuid: uuid, enterpriseCustomerUuid: null });
    await trx('outbox').insert({
      uuid: newUuid(),
      kind: 'job',
      name: 'workflow.run',
      message_key: uuid,
      payload,
      created: now,
      shard: 0,
    });
  });
  for (const [position, name] of NAMES.entries())
    await db.transaction(async (trx) => {
      await trx('inbox').insert({ consumer: name, message_id: uuid, received: new Date() });
      await trx('workflow_steps').insert({
        workflow_uuid: uuid,
        position,
        name,
        status: 'succeeded',
        output: JSON.stringify({ json: { at: position } }),
        attempt_count: 1,
        attempts: JSON.stringify([{ started: now, ended: now, error: null, cause: null }]),
        started: now,
        ended: now,
      });
      await trx('workflows')
        .where({ uuid })
        .update({ position: position + 1, modified: now });
    });
}

/** Workflows of eight trivial steps against a loop that makes the same writes. */
export async function workflows(servers: TestServers, { rounds }: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of ['postgres', 'mysql'] as const) {
    if ('skipped' in servers[dialect]) continue;
    const { db, drop } = await createTestDatabase(servers, dialect, 2 * AT_ONCE);
    const runtime = testRuntime(db, emptyWorld(), { workflowOf: () => eight as never, clock: () => new Date() });
    const never = new AbortController().signal;
    const ours = () =>
      inTurns(async () => {
        const { uuid } = await transaction(db, (trx) =>
          startWorkflow(runtime, trx, eight, { key: newUuid(), customer: null, input: {} }),
        );
        const state = await advanceWorkflow(runtime, uuid, never);
        if (state !== 'succeeded') throw new Error(`The workflow is ${state}.`);
      });
    const [own = [], reference = []] = await alternate(rounds, [ours, () => inTurns(() => bare(db))]);
    const [o, r] = [median(own), median(reference)];
    rows.push({
      name: `workflows of eight steps, ${dialect}`,
      ours: `${o.toFixed(0)}/s`,
      reference: `${r.toFixed(0)}/s`,
      ratio: o / r,
      bar: { at: 'least', value: 0.4 },
    });
    await drop();
  }
  return rows;
}
