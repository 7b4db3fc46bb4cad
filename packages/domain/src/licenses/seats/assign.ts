import { appendToOutbox, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../../kernel/contract.ts';
import { foldEmail } from '../../kernel/email.ts';
import { newUuid } from '../../kernel/ids.ts';
import { jobMessage } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { licenseEvent } from '../events.ts';
import { planNotFound } from '../plans/service.ts';
import * as store from '../store.ts';
import * as contract from './change-contract.ts';
import { invite, LEARNERS_PER_JOB } from './job-contracts.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;
type Wanted = Input<typeof contract.assign>;

export const chunksOf = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));

/** Contacts in Salesforce by folded address; of a repeated address the last one counts (R-LIC-42). */
const contactsOf = ({ userEmails, userSfids }: Wanted): Map<string, string | null> =>
  new Map(userEmails.map((email, at) => [foldEmail(email), userSfids?.[at] || null]));

const notEnough = (attempted: number, available: number) =>
  contract.notEnoughLicenses(
    { attempted, available },
    {
      message:
        'There are not enough licenses that can be assigned to complete your request.' +
        `You attempted to assign ${attempted} licenses, but there are only ${available} potentially available.`,
    },
  );

/** Assigns licences to all learners who have none of the plan, or to nobody (R-LIC-40, R-LIC-41). */
export async function assign(deps: Deps, input: Wanted): Promise<Output<typeof contract.assign>> {
  const contacts = contactsOf(input);
  return transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const plan = await store.holdPlan(trx, input.planUuid);
    const agreement = plan && (await store.findAgreement(trx, plan.customerAgreementUuid));
    if (!plan || !agreement) throw planNotFound();
    const known = await store.liveLicenses(trx, plan.uuid, [...contacts.keys()]);
    const holders = new Set(known.map(({ userEmail }) => foldEmail(userEmail ?? '')));
    const emails = [...contacts.keys()].filter((email) => !holders.has(email));
    if (emails.length > plan.unassignedCount) throw notEnough(emails.length, plan.unassignedCount);
    const free = await store.takeUnassigned(trx, plan.uuid, emails.length);
    if (free.length < emails.length) throw notEnough(emails.length, free.length);
    const changes = emails.flatMap((userEmail, at) => {
      const before = free[at];
      if (!before) return [];
      const after = {
        ...before,
        status: 'assigned' as const,
        userEmail,
        lmsUserId: null,
        activationKey: newUuid(),
        assignedDate: now,
        lastRemindDate: now,
        salesforceContactId: contacts.get(userEmail) ?? null,
        modified: now,
      };
      return [{ before, after }];
    });
    await store.writeLicenses(trx, plan.uuid, changes);
    const assigned = changes.map(({ after }) => after);
    const invitations = chunksOf(assigned, LEARNERS_PER_JOB).map((some) =>
      jobMessage(
        invite,
        {
          enterpriseCustomerUuid: plan.enterpriseCustomerUuid,
          subscriptionPlanUuid: plan.uuid,
          licenseUuids: some.map(({ uuid }) => uuid),
          occasion: now.toISOString(),
          greeting: input.greeting,
          closing: input.closing,
          notify: input.notifyUsers && !agreement.disableOnboardingNotifications,
        },
        plan.enterpriseCustomerUuid,
      ),
    );
    const events = assigned.map((license) => licenseEvent('assigned', { agreement, plan, license }));
    await appendToOutbox(trx, now, [...events, ...invitations]);
    return {
      numSuccessfulAssignments: assigned.length,
      numAlreadyAssociated: known.length,
      licenseAssignments: assigned.map(({ userEmail, uuid }) => ({ userEmail, license: uuid })),
    };
  });
}
