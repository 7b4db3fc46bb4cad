import { setTimeout as sleep } from 'node:timers/promises';
import { claimMessage, type Database, transaction } from '@enterprise-access/db';
import { type Consumer, defineJob, implementJob } from '@enterprise-access/domain';
import { z } from 'zod';

/** Every effect inserts a row. There is no unique key: only the code under test prevents duplicates. */
export async function makeEffects(db: Database): Promise<void> {
  await db.schema.createTable('test_effects', (table) => {
    table.bigIncrements('position');
    table.string('kind', 8).notNullable();
    table.string('effect_key', 40).notNullable();
    table.integer('sequence').notNullable();
    table.integer('process').notNullable();
  });
  // Processes that have started a gated job, and the open gates.
  await db.schema.createTable('test_begun', (table) => {
    table.string('gate', 40).notNullable();
    table.integer('process').notNullable();
  });
  await db.schema.createTable('test_gates', (table) => table.string('gate', 40).primary());
}

export const stepJobContract = defineJob({
  name: 'test.step',
  summary: 'Leaves a row, once.',
  payload: z.object({ key: z.string(), sequence: z.int() }),
  result: z.object({ first: z.boolean() }),
  keyOf: ({ key }) => key,
  // No retries: a crash or outage that counted as a failure would create a dead letter.
  retry: { limit: 0, delaySeconds: 1, maximumDelaySeconds: 2 },
  timeoutSeconds: 30,
});

export const stepJob = implementJob(stepJobContract, async (run, { key, sequence }) => ({
  first: await run.once(async (trx) => {
    await trx('test_effects').insert({ kind: 'job', effect_key: key, sequence, process: process.pid });
  }),
}));

export const gatedJobContract = defineJob({
  name: 'test.gated',
  summary: 'Waits for its gate to open, then leaves a row, once.',
  payload: z.object({ gate: z.string() }),
  result: z.object({ first: z.boolean() }),
  retry: { limit: 0, delaySeconds: 1, maximumDelaySeconds: 1 },
  timeoutSeconds: 120,
});

export const gatedJob = implementJob(gatedJobContract, async ({ runtime, once }, { gate }) => {
  await runtime.db('test_begun').insert({ gate, process: process.pid });
  while (!(await runtime.db('test_gates').where({ gate }).first())) await sleep(50);
  return {
    first: await once(async (trx) => {
      await trx('test_effects').insert({ kind: 'gated', effect_key: gate, sequence: 1, process: process.pid });
    }),
  };
});

export const fallibleJobContract = defineJob({
  name: 'test.fallible',
  summary: 'Fails when its gate opens, and closes it.',
  payload: z.object({ gate: z.string() }),
  result: z.object({}),
  retry: { limit: 1, interruptions: 2, delaySeconds: 0, maximumDelaySeconds: 1 },
  timeoutSeconds: 120,
});

export const fallibleJob = implementJob(fallibleJobContract, async ({ runtime, signal }, { gate }) => {
  await runtime.db('test_begun').insert({ gate, process: process.pid });
  while ((await runtime.db('test_gates').where({ gate }).delete()) === 0) await sleep(50, undefined, { signal });
  throw new Error('failed');
});

export const STEP_EVENT = 'org.openedx.enterprise.core.ping.v1';

const stepData = z.object({ ping: z.object({ ping_uuid: z.string(), ping_message: z.coerce.number() }) });

/** Data of an event for one step of a key. */
export const stepDataOf = (key: string, sequence: number): z.input<typeof stepData> => ({
  ping: { ping_uuid: key, ping_message: String(sequence) },
});

export const stepConsumer: Consumer = {
  type: STEP_EVENT,
  async consume(runtime, { id, data }) {
    const { ping_uuid: key, ping_message: sequence } = stepData.parse(data).ping;
    await transaction(runtime.db, async (trx) => {
      if (!(await claimMessage(trx, { consumer: 'test', messageId: id, received: new Date() }))) return;
      await trx('test_effects').insert({ kind: 'event', effect_key: key, sequence, process: process.pid });
    });
  },
};
