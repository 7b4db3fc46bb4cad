import { z } from 'zod';
import { DomainError } from '../../kernel/errors.ts';
import { defineJob, type JobRun } from '../../kernel/jobs/job.ts';
import type { RenewalRow } from '../rules.ts';
import { processRenewal } from './process.ts';
import { dueUntil } from './rules.ts';
import * as store from './store.ts';

const BATCH = 100;
const count = z.int().min(0);

export const processRenewals = defineJob({
  name: 'licenses.processRenewals',
  summary: 'Process renewals that take effect within the window, and those whose date has passed.',
  payload: z.object({
    windowHours: z.int().min(0).max(720).optional().describe('Hours ahead; default the lock period.'),
  }),
  result: z.object({ processed: count, failed: count, licenses: count }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 7_200,
});

/** Renewals that fail are reported and tried again by the next run; they never stop the others. */
export async function onProcessRenewals(
  { runtime, signal, dryRun }: JobRun,
  { windowHours = runtime.settings.renewalLockHours }: z.infer<typeof processRenewals.payload>,
): Promise<z.infer<typeof processRenewals.result>> {
  const until = dueUntil(runtime.clock(), windowHours);
  const result = { processed: 0, failed: 0, licenses: 0 };
  for (let last: RenewalRow | null = null; ; ) {
    const due: RenewalRow[] = await store.due(runtime.db, until, last, BATCH);
    for (const { id } of due) {
      signal.throwIfAborted();
      if (dryRun) {
        result.processed += 1;
        continue;
      }
      try {
        const { now, copied } = await processRenewal(runtime, id, { isAutomatic: true, signal });
        result.processed += now ? 1 : 0;
        result.licenses += copied;
      } catch (error) {
        if (signal.aborted) throw error;
        result.failed += 1;
        const reason = error instanceof DomainError ? error.spec.code : 'unexpected';
        runtime.log.error({ err: error, renewal: id, reason }, 'a renewal could not be processed');
      }
    }
    if (due.length < BATCH) return result;
    last = due.at(-1) ?? null;
  }
}
