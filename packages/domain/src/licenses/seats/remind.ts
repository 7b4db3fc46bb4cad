import { appendToOutbox, transaction } from '@enterprise-access/db';
import type { Input } from '../../kernel/contract.ts';
import { foldEmail } from '../../kernel/email.ts';
import { notFound } from '../../kernel/errors.ts';
import { jobMessage } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import type { PlanRow } from '../rules.ts';
import type { LicenseRow } from '../store.ts';
import * as store from '../store.ts';
import { chunksOf } from './assign.ts';
import * as contract from './change-contract.ts';
import { LEARNERS_PER_JOB, remindLearners } from './job-contracts.ts';
import { nextSelected, selectedBy } from './selection.ts';
import { licensesOfAddresses } from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;

/** Licences in one statement. */
const PAGE = 5_000;

interface Texts {
  readonly greeting: string;
  readonly closing: string;
}

export const noSuchPlan = (uuid: string) =>
  notFound({}, { message: `No SubscriptionPlan identified by ${uuid} exists` });

async function planOf({ db }: Deps, uuid: string): Promise<PlanRow> {
  const plan = await store.findPlan(db, uuid);
  if (!plan) throw noSuchPlan(uuid);
  return plan;
}

/** The jobs that remind the holders of these licences. */
const remindersOf = (plan: PlanRow, licenses: readonly LicenseRow[], { greeting, closing }: Texts, now: Date) =>
  chunksOf(licenses, LEARNERS_PER_JOB).map((some) =>
    jobMessage(
      remindLearners,
      {
        enterpriseCustomerUuid: plan.enterpriseCustomerUuid,
        subscriptionPlanUuid: plan.uuid,
        licenseUuids: some.map(({ uuid }) => uuid),
        occasion: now.toISOString(),
        greeting,
        closing,
      },
      plan.enterpriseCustomerUuid,
    ),
  );

/** Named learners: all of them wait for their activation, or none is reminded (R-LIC-49). */
async function remindNamed(deps: Deps, plan: PlanRow, userEmails: readonly string[], texts: Texts): Promise<void> {
  const byKey = new Map(userEmails.map((email) => [foldEmail(email), email]));
  const pending = await licensesOfAddresses(deps.db, plan.uuid, 'assigned', [...byKey.keys()]);
  const found = new Set(pending.map(({ userEmail }) => foldEmail(userEmail ?? '')));
  const missing = [...byKey].find(([key]) => !found.has(key));
  if (missing) {
    const [, userEmail] = missing;
    const message = `${contract.nothingPending.message} that are associated with the email: ${userEmail}`;
    throw contract.nothingPending({ userEmail }, { message });
  }
  await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    await appendToOutbox(trx, now, remindersOf(plan, pending, texts, now));
  });
}

/** Reminds all holders of assigned licences that the filters select; returns how many. */
async function remindSelected(
  deps: Deps,
  plan: PlanRow,
  selected: ReturnType<typeof selectedBy>,
  texts: Texts,
): Promise<number> {
  const now = deps.clock();
  return transaction(deps.db, async (trx) => {
    let reminded = 0;
    for (let after: LicenseRow | null = null; ; ) {
      const some: LicenseRow[] = await nextSelected(trx, plan.uuid, selected, after, PAGE);
      await appendToOutbox(trx, now, remindersOf(plan, some, texts, now));
      reminded += some.length;
      if (some.length < PAGE) return reminded;
      after = some.at(-1) ?? null;
    }
  });
}

export async function remind(deps: Deps, input: Input<typeof contract.remind>): Promise<Record<string, never>> {
  const plan = await planOf(deps, input.planUuid);
  if (input.userEmails) await remindNamed(deps, plan, input.userEmails, input);
  else await remindSelected(deps, plan, selectedBy(input.filters ?? [], ['assigned']), input);
  return {};
}

export async function remindAll(deps: Deps, input: Input<typeof contract.remindAll>): Promise<Record<string, never>> {
  const plan = await planOf(deps, input.planUuid);
  const reminded = plan.assignedCount > 0 ? await remindSelected(deps, plan, selectedBy([], ['assigned']), input) : 0;
  if (reminded === 0) throw contract.nothingPending({ userEmail: null });
  return {};
}
