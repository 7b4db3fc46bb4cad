import { transaction } from '@enterprise-access/db';
import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { newUuid } from '../kernel/ids.ts';
import { runJob } from '../kernel/jobs/attempt.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { defineWorkflow, type Workflow } from '../kernel/workflow.ts';
import { emptyWorld, testRuntime, type World } from '../testing.ts';
import { advance, signal, start } from './engine.ts';
import { forgetJob, wakeJob } from './jobs.ts';
import * as service from './service.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const never = new AbortController().signal;

/** What the steps have done, in their order. */
let made: string[] = [];
/** Effects of another service by key. */
let elsewhere: Map<string, string>;
/** Called at points of the steps, to fail there. */
let at: (point: string) => void | Promise<void> = () => undefined;

const quick = { attempts: 3, delaySeconds: 1, maximumDelaySeconds: 60 };

const trip = defineWorkflow({
  kind: 'test.trip',
  version: 1,
  title: 'A trip',
  input: z.object({ place: z.string(), on: z.date() }),
  onFailure: async (_trx, { input }, { step, sentence }) => {
    made.push(`told that ${step} for ${input.place} failed: ${sentence}`);
  },
})
  .own('plan', {
    title: 'Plan it',
    output: z.object({ planned: z.date() }),
    retry: quick,
    async commit(trx, { input, workflow }) {
      await trx('inbox').insert({ consumer: 'trip', message_id: workflow.uuid, received: new Date() });
      await at('plan');
      made.push('plan');
      return { planned: input.on };
    },
    async undo(trx, { workflow }) {
      await trx('inbox').where({ consumer: 'trip', message_id: workflow.uuid }).delete();
      made.push('unplan');
    },
  })
  .remote('ticket', {
    title: 'Buy a ticket',
    output: z.object({ number: z.string() }),
    retry: quick,
    async find({ workflow }) {
      await at('find');
      const number = elsewhere.get(workflow.key);
      return number === undefined ? null : { number };
    },
    async make({ workflow, results }) {
      await at('make');
      elsewhere.set(workflow.key, `for ${results.plan.planned.toISOString()}`);
      made.push('ticket');
      await at('made');
      return { number: elsewhere.get(workflow.key) ?? '' };
    },
    async undo({ workflow }) {
      await at('undo');
      elsewhere.delete(workflow.key);
      made.push('unticket');
    },
  })
  .wait('departure', { title: 'Wait for the departure', output: z.object({ track: z.int() }) })
  .own('report', {
    title: 'Report',
    output: z.object({ text: z.string() }),
    commit: async (_trx, { results }) => ({ text: `${results.ticket.number} from ${results.departure.track}` }),
  });

const nap = defineWorkflow({ kind: 'test.nap', version: 1, title: 'A nap', input: z.object({ until: z.date() }) }).wait(
  'sleep',
  { title: 'Sleep', output: z.null(), wakeAt: ({ input }) => input.until },
);

const known = [trip, nap] as readonly Workflow[];
const workflowOf = (kind: string, version: number) =>
  known.find(({ spec }) => spec.kind === kind && spec.version === version);

describe.each(dialects)('workflows on %s', (dialect) => {
  let database: TestDatabase;
  let world: World;
  let runtime: Runtime;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
  });
  afterAll(() => database.drop());
  beforeEach(() => {
    world = emptyWorld();
    runtime = testRuntime(database.db, world, { workflowOf });
    made = [];
    elsewhere = new Map();
    at = () => undefined;
  });

  const begin = (key: string = newUuid(), on = world.now) =>
    transaction(runtime.db, (trx) =>
      start(runtime, trx, trip, { key, customer: CUSTOMER, input: { place: 'Paris', on } }),
    );
  const go = (uuid: string) => advance(runtime, uuid, never);
  const depart = (uuid: string) =>
    transaction(runtime.db, (trx) => signal(runtime, trx, uuid, 'departure', { track: 4 }));
  const planned = async (uuid: string) =>
    (await runtime.db('inbox').where({ consumer: 'trip', message_id: uuid }).first('received')) !== undefined;

  test('runs its steps in their order, waits for a signal, and ends with all outputs', async () => {
    const { uuid } = await begin();
    expect(await go(uuid)).toBe('waiting');
    expect(made).toEqual(['plan', 'ticket']);
    expect(await depart(uuid)).toBe(true);
    expect(await depart(uuid)).toBe(false);
    expect(await go(uuid)).toBe('succeeded');
    const view = await service.get(runtime, uuid);
    expect(view).toMatchObject({ status: 'succeeded', position: 4, stepCount: 4, error: null });
    expect(view.steps.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded']);
    expect(await go(uuid)).toBe('succeeded');
    expect(made).toEqual(['plan', 'ticket']);
  });

  test('a second start with the same key finds the first, also when both come at once', async () => {
    const key = newUuid();
    const all = await Promise.all(Array.from({ length: 8 }, () => begin(key)));
    expect(new Set(all.map(({ uuid }) => uuid)).size).toBe(1);
    expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
  });

  test('an own effect commits with its record, or neither does', async () => {
    const { uuid } = await begin();
    at = (point) => {
      if (point === 'plan') throw new Error('somebody@example.com');
    };
    expect(await go(uuid)).toBe('retrying');
    expect(await planned(uuid)).toBe(false);
    at = () => undefined;
    await go(uuid);
    expect(await planned(uuid)).toBe(true);
    const [plan] = (await service.get(runtime, uuid)).steps;
    expect(plan?.attempts).toMatchObject([{ error: 'Plan it: An unexpected error.' }, { error: null }]);
  });

  test('a remote effect is found again after a crash between the effect and its record', async () => {
    const { uuid } = await begin();
    at = (point) => {
      if (point === 'made') throw new UpstreamFailure('tickets', 'no reply');
    };
    expect(await go(uuid)).toBe('retrying');
    expect(await service.get(runtime, uuid)).toMatchObject({ error: 'Buy a ticket: tickets did not answer.' });
    expect(await go(uuid)).toBe('waiting');
    expect(made).toEqual(['plan', 'ticket']);
    expect((await service.get(runtime, uuid)).error).toBeNull();
  });

  test('a refusal ends it at once; resume goes on at that step and repeats no earlier effect', async () => {
    const { uuid } = await begin();
    at = (point) => {
      if (point === 'make') throw new UpstreamRefusal('tickets', 400, { who: 'somebody@example.com' });
    };
    expect(await go(uuid)).toBe('failed');
    const told = 'told that ticket for Paris failed: Buy a ticket: tickets refused it with status 400.';
    expect(made).toEqual(['plan', told]);
    expect(JSON.stringify((await service.list(runtime, { kind: 'test.trip', pageSize: 10 })).items)).not.toContain('@');
    expect(await go(uuid)).toBe('failed');
    at = () => undefined;
    await service.resume(runtime, { uuid, reason: 'tickets are back' });
    expect(await go(uuid)).toBe('waiting');
    expect(made).toEqual(['plan', told, 'ticket']);
  });

  test('a failure that may pass is tried as often as the step says', async () => {
    const { uuid } = await begin();
    at = (point) => {
      if (point === 'find') throw new UpstreamFailure('tickets', 'silent');
    };
    expect([await go(uuid), await go(uuid), await go(uuid), await go(uuid)]).toEqual([
      'retrying',
      'retrying',
      'failed',
      'failed',
    ]);
    expect((await service.get(runtime, uuid)).steps[1]?.attempts).toHaveLength(3);
  });

  test('of two executors one works, and one that was taken over writes nothing more', async () => {
    const { uuid } = await begin();
    expect((await Promise.all([go(uuid), go(uuid)])).sort()).toEqual(['busy', 'waiting']);
    const [bought, late, lost] = [made.length, await begin(), await begin()];
    /** Another process takes the lease over. */
    const takeOver = (uuid: string) => database.db('workflows').where({ uuid }).update({ lease_owner: newUuid() });
    at = async (point) => {
      if (point === 'find') await takeOver(late.uuid);
    };
    expect(await go(late.uuid)).toBe('busy');
    expect(made.slice(bought)).toEqual(['plan']);
    at = async (point) => {
      if (point === 'made') await takeOver(lost.uuid);
    };
    expect(await go(lost.uuid)).toBe('busy');
    expect(await service.get(runtime, lost.uuid)).toMatchObject({ position: 1, status: 'running' });
  });

  test('a workflow without an executor is woken: after a crash, and when its time has come', async () => {
    const crashed = await begin();
    await database
      .db('workflows')
      .where({ uuid: crashed.uuid })
      .update({ lease_owner: newUuid(), lease_ends: new Date(Date.now() - 1_000), modified: new Date(0) });
    const asleep = await transaction(runtime.db, (trx) =>
      start(runtime, trx, nap, { key: newUuid(), customer: null, input: { until: new Date('2026-06-02T00:00:00Z') } }),
    );
    expect(await go(asleep.uuid)).toBe('waiting');
    const wake = async () => {
      await database.db('outbox').delete();
      await runJob(runtime, wakeJob, { uuid: newUuid(), payload: {}, signal: never, dryRun: false, isLast: true });
      const rows: { payload: unknown }[] = await database
        .db('outbox')
        .where({ name: 'workflow.run' })
        .select('payload');
      return rows.map(({ payload }) => JSON.stringify(payload));
    };
    const first = (await wake()).join();
    expect(first).toContain(crashed.uuid);
    expect(first).not.toContain(asleep.uuid);
    world.now = new Date('2026-06-02T00:00:00Z');
    expect((await wake()).join()).toContain(asleep.uuid);
    expect(await go(asleep.uuid)).toBe('succeeded');
  });

  test('cancel takes back what was made, the latest first, and goes on after a failure of that', async () => {
    const { uuid } = await begin();
    await go(uuid);
    await service.cancel(runtime, { uuid, reason: 'changed plans' });
    at = (point) => {
      if (point === 'undo') throw new UpstreamFailure('tickets', 'silent');
    };
    expect(await go(uuid)).toBe('retrying');
    at = () => undefined;
    expect(await go(uuid)).toBe('cancelled');
    expect(made).toEqual(['plan', 'ticket', 'unticket', 'unplan']);
    expect([await planned(uuid), elsewhere.size]).toEqual([false, 0]);
    await expect(service.resume(runtime, { uuid, reason: 'no' })).rejects.toMatchObject({
      spec: { code: 'workflow_not_possible' },
    });
  });

  test('skip gives the steps after it the output that is named, if the step could have made it', async () => {
    const { uuid } = await begin();
    await go(uuid);
    const skip = { uuid, step: 'departure', reason: 'left on foot' };
    await expect(service.skip(runtime, { ...skip, output: { track: 'x' } })).rejects.toMatchObject({
      spec: { code: 'invalid_input' },
    });
    await expect(service.skip(runtime, { ...skip, step: 'ticket', output: {} })).rejects.toMatchObject({
      spec: { code: 'invalid_input' },
    });
    await service.skip(runtime, { ...skip, output: { track: 9 } });
    expect(await go(uuid)).toBe('succeeded');
    expect((await service.get(runtime, uuid)).steps[2]).toMatchObject({ status: 'skipped', reason: 'left on foot' });
  });

  test('fork runs again from a step, with what the steps before it have made', async () => {
    const { uuid } = await begin();
    await go(uuid);
    await depart(uuid);
    await go(uuid);
    const again = await service.fork(runtime, { uuid, step: 'report', reason: 'lost' });
    expect(again.uuid).not.toBe(uuid);
    expect(await go(again.uuid)).toBe('succeeded');
    expect(made).toEqual(['plan', 'ticket']);
  });

  test('a version that this release does not know waits for one that does', async () => {
    const { uuid } = await begin();
    await database.db('workflows').where({ uuid }).update({ version: 2 });
    await expect(go(uuid)).rejects.toThrow('test.trip version 2');
    await database.db('workflows').where({ uuid }).update({ version: 1 });
    expect(await go(uuid)).toBe('waiting');
  });

  test('ended workflows are forgotten with everything they knew', async () => {
    const { uuid } = await begin();
    await go(uuid);
    await depart(uuid);
    await go(uuid);
    world.now = new Date(world.now.getTime() + 91 * 86_400_000);
    const forget = (dryRun: boolean) =>
      runJob(runtime, forgetJob, { uuid: newUuid(), payload: {}, signal: never, dryRun, isLast: true });
    const { deleted } = (await forget(true)) as { deleted: number };
    expect(deleted).toBeGreaterThan(0);
    expect(await forget(false)).toEqual({ deleted });
    for (const table of ['workflow_steps', 'workflow_signals'])
      expect(await database.db(table).where({ workflow_uuid: uuid })).toEqual([]);
    expect(await database.db('workflows').where({ uuid })).toEqual([]);
  });
});
