import { randomBytes } from 'node:crypto';
import { appendToOutbox, type Connection, transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import { forgetSearches } from '../audit/index.ts';
import { type JobRun, jobMessage } from '../kernel/jobs/job.ts';
import { assignmentConfigurations as configurations } from '../policies/index.ts';
import type { ExpirationReason, State } from './contract.ts';
import * as contracts from './job-contracts.ts';
import { beginsIn, nudgesOf } from './nudge.ts';
import type { AssignmentRow } from './store.ts';
import * as store from './store.ts';
import { transition } from './transitions.ts';
import { contentsOf, datedKeyOf, expirationOf } from './view.ts';

interface Swept {
  readonly done: number;
  readonly configurations: number;
  readonly failed: number;
}

/**
 * Processes all rows in one state of every active configuration, each once, even if rows change meanwhile. A
 * configuration that fails does not block the others.
 */
async function sweep(
  { runtime, signal }: JobRun,
  state: State,
  batch: number,
  work: (configuration: configurations.ConfigurationRow, rows: readonly AssignmentRow[]) => Promise<number>,
): Promise<Swept> {
  let [done, count, failed] = [0, 0, 0];
  for await (const configuration of activeConfigurations(runtime.db)) {
    count += 1;
    try {
      for (let last: string | null = null; ; ) {
        signal.throwIfAborted();
        const rows: AssignmentRow[] = await store.inState(runtime.db, configuration.uuid, state, {
          after: last,
          limit: batch,
        });
        if (rows.length > 0) done += await work(configuration, rows);
        last = rows.at(-1)?.uuid ?? null;
        if (rows.length < batch) break;
      }
    } catch (err) {
      signal.throwIfAborted();
      failed += 1;
      runtime.log.error({ err, configuration: configuration.uuid }, 'the assignments of a configuration were skipped');
    }
  }
  return { done, configurations: count, failed };
}

async function* activeConfigurations(db: Connection): AsyncGenerator<configurations.ConfigurationRow> {
  for (let last: string | null = null; ; ) {
    const found: configurations.ConfigurationRow[] = await configurations.nextActive(db, last, 100);
    yield* found;
    last = found.at(-1)?.uuid ?? null;
    if (found.length < 100) return;
  }
}

/** R-ASG-50 to R-ASG-55; stores the reason. */
export async function onExpireDue(job: JobRun, { batch }: z.infer<typeof contracts.expireDue.payload>) {
  const { runtime } = job;
  const { done, ...rest } = await sweep(job, 'allocated', batch, async (configuration, rows) => {
    const { subsidyUuid, enterpriseCustomerUuid } = configuration;
    const subsidies = subsidyUuid === null ? null : await runtime.ledger.subsidies([subsidyUuid]);
    const subsidyExpiration = (subsidyUuid !== null && subsidies?.get(subsidyUuid)?.expirationDatetime) || null;
    const contents = await contentsOf(runtime, enterpriseCustomerUuid, rows.map(datedKeyOf));
    const now = runtime.clock();
    const due = new Map<string, ExpirationReason>();
    for (const row of rows) {
      const { date, reason } = expirationOf(row, { subsidyExpiration, contents });
      if (date <= now) due.set(row.uuid, reason);
    }
    if (job.dryRun || due.size === 0) return due.size;
    return expire(job, configuration, due);
  });
  return { expired: done, ...rest };
}

/** Checks the locked rows again: a learner may have redeemed meanwhile, or an administrator reallocated. */
async function expire(
  { runtime }: JobRun,
  configuration: configurations.ConfigurationRow,
  due: ReadonlyMap<string, ExpirationReason>,
): Promise<number> {
  return transaction(runtime.db, async (trx) => {
    const at = runtime.clock();
    const held = await store.findForUpdate(trx, configuration.uuid, [...due.keys()]);
    const transitions = held
      .filter((row) => row.state === 'allocated' && row.redemptionUuid === null)
      .map((before) => {
        const expirationReason = due.get(before.uuid) ?? null;
        return {
          before,
          changes: { state: 'expired' as const, expiredAt: at, expirationReason },
        };
      });
    await transition(trx, runtime, configuration, transitions, { ...store.SYSTEM, at });
    const occasion = at.toISOString();
    await appendToOutbox(
      trx,
      at,
      transitions.map(({ before: { uuid: assignmentUuid, enterpriseCustomerUuid } }) =>
        jobMessage(contracts.tellExpired, { assignmentUuid, occasion }, enterpriseCustomerUuid),
      ),
    );
    return transitions.length;
  });
}

const retiredAddress = (): string => `retired_user${randomBytes(8).toString('hex')}@retired.invalid`;

/** R-ASG-57 with R-ADD-18: removes the address from the row, its actions and the audit trail. */
export async function onRetireAddresses(job: JobRun, { batch }: z.infer<typeof contracts.retireAddresses.payload>) {
  const { runtime, signal, dryRun } = job;
  const { db, clock } = runtime;
  if (dryRun) return { cleared: await store.countRetirable(db, clock()) };
  for (let cleared = 0; ; ) {
    signal.throwIfAborted();
    const done = await transaction(db, async (trx) => {
      const rows = await store.holdRetirable(trx, clock(), batch);
      await store.retireAddresses(trx, rows, retiredAddress);
      await forgetSearches(
        trx,
        rows.map(({ learnerEmail }) => learnerEmail),
        clock(),
      );
      return rows.length;
    });
    cleared += done;
    if (done < batch) return { cleared };
  }
}

/** R-ASG-62 for all active configurations. */
export async function onNudgeDue(
  job: JobRun,
  { daysBeforeCourseStartDate: days, batch }: z.infer<typeof contracts.nudgeDue.payload>,
) {
  const { runtime } = job;
  const { done, ...rest } = await sweep(job, 'accepted', batch, async (configuration, rows) => {
    const withRun = rows.filter(({ preferredCourseRunKey }) => preferredCourseRunKey !== null);
    const contents = await contentsOf(runtime, configuration.enterpriseCustomerUuid, withRun.map(datedKeyOf));
    const due = withRun.filter((row) => beginsIn(contents.get(datedKeyOf(row)), days, runtime.clock()));
    if (!job.dryRun && due.length > 0) {
      const messages = nudgesOf(due, days, runtime.clock());
      await transaction(runtime.db, (trx) => appendToOutbox(trx, runtime.clock(), messages));
    }
    return due.length;
  });
  return { nudged: done, ...rest };
}
