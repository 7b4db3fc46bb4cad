import { transaction } from '@enterprise-access/db';
import { z } from 'zod';
import { defineJob, implementJob } from '../kernel/jobs/job.ts';
import { advance, runWorkflow, wakeDue } from './engine.ts';
import * as store from './store.ts';

/** The workflow tries its step again later, or another executor has it; the queue asks again. */
class NotYet extends Error {
  override readonly name = 'NotYet';
}

export const runJobOfWorkflow = implementJob(runWorkflow, async ({ runtime, signal, dryRun }, { workflowUuid }) => {
  if (dryRun) return { state: (await store.find(runtime.db, workflowUuid))?.status ?? 'unknown' };
  const state = await advance(runtime, workflowUuid, signal);
  if (state === 'retrying' || state === 'busy') throw new NotYet(state);
  return { state };
});

const WOKEN_AT_ONCE = 1_000;

export const wakeJob = implementJob(
  defineJob({
    name: 'workflow.wake',
    summary: 'Carry on workflows whose time has come or whose executor has crashed.',
    payload: z.object({}),
    result: z.object({ woken: z.int().min(0).describe('Workflows that go on.') }),
    keyOf: () => 'all',
    retry: { limit: 1, delaySeconds: 5, maximumDelaySeconds: 5 },
    timeoutSeconds: 60,
  }),
  async ({ runtime, dryRun }) => {
    if (dryRun) return { woken: (await store.due(runtime.db, runtime.clock(), WOKEN_AT_ONCE)).length };
    return { woken: await wakeDue(runtime, WOKEN_AT_ONCE) };
  },
);

const DAY_MS = 86_400_000;

export const forgetJob = implementJob(
  defineJob({
    name: 'workflow.forget',
    summary: 'Delete workflows that ended long ago; failed ones stay until somebody cancels them.',
    payload: z.object({
      days: z.int().min(1).max(3_650).default(90).describe('Days to keep ended workflows.'),
      batch: z.int().min(1).max(10_000).default(500).describe('Workflows per transaction.'),
    }),
    result: z.object({ deleted: z.int().min(0).describe('Workflows that were deleted.') }),
    keyOf: () => 'all',
    retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
    timeoutSeconds: 3_600,
  }),
  async ({ runtime, dryRun, signal }, { days, batch }) => {
    const before = new Date(runtime.clock().getTime() - days * DAY_MS);
    if (dryRun) return { deleted: await store.countEnded(runtime.db, before) };
    let deleted = 0;
    for (let last = batch; last === batch; deleted += last) {
      signal.throwIfAborted();
      last = await transaction(runtime.db, (trx) => store.deleteEnded(trx, before, batch));
    }
    return { deleted };
  },
);

export const workflowJobs = [
  { job: forgetJob, cron: '40 3 * * *' },
  runJobOfWorkflow,
  { job: wakeJob, cron: '* * * * *' },
] as const;
