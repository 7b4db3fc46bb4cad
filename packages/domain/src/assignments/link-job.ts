import { transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import { foldEmail } from '../kernel/email.ts';
import type { JobRun } from '../kernel/jobs/job.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { assignmentConfigurations as configurations } from '../policies/index.ts';
import { accountsOf } from '../users/index.ts';
import type * as contracts from './job-contracts.ts';
import { linkAccount } from './link.ts';
import { isRetired } from './rules.ts';
import * as store from './store.ts';
import { heldCents, transition } from './transitions.ts';

type Result = z.infer<typeof contracts.link.result>;

/**
 * Links the learner to the customer in the LMS (R-ASG-71), unless there is an active link: linking again could
 * deactivate the learner's links to other customers (R-ADD-17).
 */
export async function onLink(job: JobRun, { assignmentUuid }: z.infer<typeof contracts.link.payload>): Promise<Result> {
  const { runtime } = job;
  const row = await store.findAny(runtime.db, assignmentUuid);
  const configuration = row && (await configurations.find(runtime.db, row.assignmentConfigurationUuid));
  if (!row || !configuration || !store.isHeld(row) || isRetired(row.learnerEmail)) return { outcome: 'over' };
  const customerUuid = configuration.enterpriseCustomerUuid;
  if (job.dryRun) return { outcome: 'linked' };
  try {
    await linkKnownAccount(runtime, row);
    const account = await runtime.lms.accountOf(row.learnerEmail);
    const isLinked = account !== null && (await runtime.lms.hasActiveLink(customerUuid, account));
    if (!isLinked) await runtime.lms.addPendingLearner(customerUuid, row.learnerEmail);
    await record(job, configuration, row.uuid, null);
    return { outcome: isLinked ? 'was_linked' : 'linked' };
  } catch (error) {
    if (job.isLast) await record(job, configuration, row.uuid, error);
    throw error;
  }
}

/** Links a row that a concurrent login may have missed. */
async function linkKnownAccount(runtime: Runtime, row: store.AssignmentRow): Promise<void> {
  if (row.lmsUserId !== null) return;
  const key = foldEmail(row.learnerEmail);
  const lmsUserId = (await accountsOf(runtime.db, [key])).get(key);
  if (lmsUserId !== undefined) await linkAccount(runtime, { email: row.learnerEmail, lmsUserId });
}

/** A final failure sets an allocated assignment to errored; assignments in other states do not change. */
async function record(
  { runtime, uuid }: JobRun,
  configuration: configurations.ConfigurationRow,
  rowUuid: string,
  error: unknown,
): Promise<void> {
  await transaction(runtime.db, async (trx) => {
    const at = runtime.clock();
    const isFirst = await store.claimJob(trx, `${uuid}:${error === null ? 'linked' : 'failed'}`, 'learner_linked', at);
    const before = await store.holdOne(trx, rowUuid);
    if (!before || !isFirst) return;
    const failure = { errorActionType: 'learner_linked', errorReason: 'internal_api_error' } as const;
    const waits =
      before.state === 'allocated' && heldCents(before) === before.priceCents && before.redemptionUuid === null;
    const errored = { ...failure, ...(waits ? { state: 'errored' as const, erroredAt: at } : {}) };
    const action =
      error === null
        ? ({ type: 'learner_linked' } as const)
        : ({
            type: 'learner_linked',
            errorReason: 'internal_api_error',
            traceback: `The learner was not linked: ${error instanceof Error ? error.name : 'unknown failure'}.`,
          } as const);
    const changes = error === null ? {} : errored;
    await transition(trx, runtime, configuration, [{ before, changes, action }], { ...store.JOB, at });
  });
}
