import type { Connection } from '@enterprise-access/db';
import type { JobRun } from '../../kernel/jobs/job.ts';

const PLANS_AT_ONCE = 200;

/** Everything that `next` finds, a page after the other; each page begins after the last item of the one before. */
export async function* inPages<T>(
  signal: AbortSignal,
  size: number,
  next: (after: T | null, limit: number) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let last: T | null = null; ; ) {
    signal.throwIfAborted();
    const page: readonly T[] = await next(last, size);
    if (page.length > 0) yield page;
    last = page.at(-1) ?? null;
    if (last === null || page.length < size) return;
  }
}

/** Work on plans or agreements, one after the other. What fails is logged and counted, and the others go on. */
export async function eachPlan<P extends { readonly uuid: string }>(
  { runtime, signal }: Pick<JobRun, 'runtime' | 'signal'>,
  next: (db: Connection, after: P | null, limit: number) => Promise<readonly P[]>,
  work: (plan: P) => Promise<void>,
): Promise<{ plans: number; failed: number }> {
  let [plans, failed] = [0, 0];
  for await (const page of inPages<P>(signal, PLANS_AT_ONCE, (after, limit) => next(runtime.db, after, limit))) {
    for (const plan of page) {
      plans += 1;
      try {
        await work(plan);
      } catch (err) {
        signal.throwIfAborted();
        failed += 1;
        runtime.log.error(
          { err, subject: plan.uuid },
          'a subscription plan, or the plans of an agreement, were skipped',
        );
      }
    }
  }
  return { plans, failed };
}
