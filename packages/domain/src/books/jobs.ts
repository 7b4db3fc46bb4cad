import { z } from 'zod';
import { defineJob, implementJob } from '../kernel/jobs/job.ts';
import { countPendingDeposits, resumeDeposits } from '../policies/index.ts';
import { countPendingBefore, reconcile } from '../redemptions/index.ts';
import {
  countUnenrolments,
  countUnfinished,
  reconcileTransactions,
  reconcileUnenrolments,
} from '../subsidies/index.ts';
import { auditBooks, type Discrepancy } from './audit.ts';
import { auditDrift } from './drift.ts';

const outcome = z.object({
  found: z.int().min(0).describe('Number of pending items found.'),
  open: z.int().min(0).describe('Number of items that are still pending, because a service does not answer.'),
});

const reconcileContract = defineJob({
  name: 'redemptions.reconcile',
  summary:
    'Complete redemptions, ledger transactions, deposits and unenrollments that a crash or an unavailable service left open.',
  payload: z.object({
    olderThanSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(60)
      .describe('Minimum age; newer ones may still be in progress.'),
    limit: z.int().min(1).max(10_000).default(1_000).describe('Maximum number of items per kind.'),
  }),
  result: z.object({ redemptions: outcome, transactions: outcome, deposits: outcome, unenrolments: outcome }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 10, maximumDelaySeconds: 60 },
  timeoutSeconds: 600,
});

export const reconcileJob = implementJob(reconcileContract, async ({ runtime, dryRun }, payload) => {
  const { olderThanSeconds, limit } = payload;
  const before = new Date(runtime.clock().getTime() - olderThanSeconds * 1_000);
  if (dryRun) {
    const counted = async (count: Promise<number>) => {
      const found = Math.min(limit, await count);
      return { found, open: found };
    };
    return {
      redemptions: await counted(countPendingBefore(runtime.db, before)),
      transactions: await counted(countUnfinished(runtime.db, before)),
      deposits: await counted(countPendingDeposits(runtime.db, before)),
      unenrolments: await counted(countUnenrolments(runtime.db, before)),
    };
  }
  const options = { olderThanMs: olderThanSeconds * 1_000, limit };
  return {
    redemptions: await reconcile(runtime, options),
    transactions: await reconcileTransactions(runtime, options),
    deposits: await resumeDeposits(runtime, { before, limit }),
    unenrolments: await reconcileUnenrolments(runtime, options),
  };
});

const auditContract = defineJob({
  name: 'books.audit',
  summary:
    'Recount all budgets, learner shares and ledgers, or compare budgets with a remote ledger, and report differences. Changes nothing.',
  payload: z.object({}),
  result: z.object({
    discrepancies: z.int().min(0).describe('Number of totals that differ from the sum of their entries.'),
  }),
  keyOf: () => 'all',
  retry: { limit: 2, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

const isAboveLimit = ({ what }: Discrepancy): boolean => what === 'over_limit';

/** Reports differences only; an operator must find the cause and correct them. */
export const auditJob = implementJob(auditContract, async ({ runtime }) => {
  const all = runtime.ledger.isOurs ? await auditBooks(runtime.db) : await auditDrift(runtime);
  // Redemptions never exceed a limit, but administrators can lower a limit below the current spend.
  const [above, found] = [all.filter(isAboveLimit), all.filter((each) => !isAboveLimit(each))];
  for (const { id, stored, counted } of above)
    runtime.log.warn(
      { policy: id, takenCents: stored, limitCents: counted },
      'a limit was lowered below what is taken',
    );
  for (const discrepancy of found) runtime.log.error({ discrepancy }, 'the books do not agree');
  return { discrepancies: found.length };
});
