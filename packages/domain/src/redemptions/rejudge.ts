import { z } from 'zod';
import { nextDecisions } from '../decisions/index.ts';
import { defineJob, implementJob } from '../kernel/jobs/job.ts';
import { judgedAgain } from './judge-again.ts';

/** Decisions that are named for each kind of difference. */
const NAMED = 10;

const ALLOWED = 'allowed';

const contract = defineJob({
  name: 'redemptions.rejudge',
  summary: 'Judge stored decisions again with the rules of today and report which verdicts differ. Changes nothing.',
  payload: z.object({
    policyUuid: z.guid().toLowerCase().optional().describe('Only decisions about this policy.'),
    since: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('Only decisions from this time on, such as 2026-06-01T00:00:00Z.'),
    batch: z.int().min(1).max(10_000).default(1_000).describe('Decisions that are read at once.'),
  }),
  result: z.object({
    judged: z.int().min(0).describe('Decisions that were judged again.'),
    skipped: z.int().min(0).describe('Decisions whose facts have a form that is not read any more.'),
    differing: z.int().min(0).describe('Decisions that would be another today.'),
    differences: z
      .array(
        z.object({
          was: z.string().describe('Reason then; `allowed` without one.'),
          is: z.string().describe('Reason today.'),
          count: z.int().min(1),
          decisions: z.array(z.string()).describe(`Some of them; at most ${NAMED}.`),
        }),
      )
      .describe('By reason, the most frequent first.'),
  }),
  keyOf: () => 'all',
  retry: { limit: 1, delaySeconds: 60, maximumDelaySeconds: 60 },
  timeoutSeconds: 3_600,
});

export const rejudgeJob = implementJob(contract, async ({ runtime, signal }, { policyUuid, since, batch }) => {
  const filter = { policyUuid, since: since === undefined ? undefined : new Date(since) };
  const differences = new Map<string, { was: string; is: string; count: number; decisions: string[] }>();
  let [judged, skipped, differing] = [0, 0, 0];
  for (let after: string | null = null; ; ) {
    signal.throwIfAborted();
    const found = await nextDecisions(runtime.db, filter, { after, limit: batch });
    for (const decision of found) {
      const verdicts = judgedAgain(decision);
      if (!verdicts) {
        skipped += 1;
        continue;
      }
      judged += 1;
      if (verdicts.was === verdicts.is) continue;
      differing += 1;
      const [was, is] = [verdicts.was ?? ALLOWED, verdicts.is ?? ALLOWED];
      const difference = differences.get(`${was} ${is}`) ?? { was, is, count: 0, decisions: [] };
      difference.count += 1;
      if (difference.decisions.length < NAMED) difference.decisions.push(decision.uuid);
      differences.set(`${was} ${is}`, difference);
    }
    after = found.at(-1)?.uuid ?? null;
    if (found.length < batch) break;
  }
  const sorted = [...differences.values()].toSorted((a, b) => b.count - a.count);
  return { judged, skipped, differing, differences: sorted };
});
