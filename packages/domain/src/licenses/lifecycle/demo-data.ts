import { type Transaction, transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import { newUuid } from '../../kernel/ids.ts';
import type { JobRun } from '../../kernel/jobs/job.ts';
import type { Settings } from '../../kernel/settings.ts';
import { create as createAgreement } from '../agreements/provisioning.ts';
import { create as createPlan } from '../plans/provisioning.ts';
import * as planContract from '../plans/provisioning-contract.ts';
import { onSeedProducts } from '../products/seed.ts';
import type { PlanRow } from '../rules.ts';
import { agreementOfCustomer, holdPlan, insertLicenses, type LicenseRow } from '../store.ts';
import { subscriptionPlans } from '../tables.ts';
import type { LicenseStatus } from '../view-contract.ts';
import type * as contracts from './job-contracts.ts';
import * as store from './store.ts';

const DAY_MS = 86_400_000;
const LINE_ITEM = '00k456789123456789';
const ROWS_AT_ONCE = 1_000;

/** Made-up data is for development. */
class DemoDataForbidden extends Error {
  override readonly name = 'DemoDataForbidden';
}

/** The LMS does not know the customer. */
class UnknownCustomer extends Error {
  override readonly name = 'UnknownCustomer';
}

function assertAllowed({ isDemoDataAllowed }: Settings): void {
  if (!isDemoDataAllowed) throw new DemoDataForbidden('ALLOW_DEMO_DATA is not on.');
}

/** An agreement with a plan of a year for a customer of the LMS. Each run adds a plan. */
export async function onSeedDemoData(
  job: JobRun,
  { enterpriseCustomerSlug: slug, numLicenses }: z.infer<typeof contracts.seedDemoData.payload>,
): Promise<{ planUuid: string | null }> {
  const { runtime, dryRun } = job;
  const { db, clock, lms, settings } = runtime;
  assertAllowed(settings);
  const customer = await lms.customerOfSlug(slug);
  if (!customer) throw new UnknownCustomer('The LMS does not know this customer.');
  if (dryRun) return { planUuid: null };
  const agreement =
    (await agreementOfCustomer(db, customer.uuid)) ??
    (await createAgreement(runtime, {
      enterpriseCustomerUuid: customer.uuid,
      enterpriseCustomerSlug: slug,
      defaultEnterpriseCatalogUuid: customer.catalogUuids[0] ?? null,
    }));
  await onSeedProducts(job);
  const now = clock();
  const plan = planContract.create.input.parse({
    title: `Seed Generated Plan from ${slug.slice(0, 60)} ${now.toISOString()}`,
    startDate: now,
    expirationDate: new Date(now.getTime() + 365 * DAY_MS),
    customerAgreement: agreement.uuid,
    product: await store.productNamed(db, 'B2B Paid'),
    salesforceOpportunityLineItem: LINE_ITEM,
    desiredNumLicenses: numLicenses,
    isActive: true,
    forInternalUseOnly: true,
    changeReason: 'new',
  });
  return { planUuid: (await createPlan(runtime, plan)).uuid };
}

/** Of ten licences: how many are in each state. */
const MIXTURE: readonly LicenseStatus[] = [
  ...Array<LicenseStatus>(5).fill('activated'),
  ...Array<LicenseStatus>(2).fill('assigned'),
  ...Array<LicenseStatus>(1).fill('revoked'),
  ...Array<LicenseStatus>(2).fill('unassigned'),
];

function madeUpLicense(plan: PlanRow, at: number, now: Date): LicenseRow {
  const status = MIXTURE[at % MIXTURE.length] ?? 'unassigned';
  const isHeld = status !== 'unassigned';
  const isUsed = status === 'activated' || status === 'revoked';
  return {
    uuid: newUuid(),
    enterpriseCustomerUuid: plan.enterpriseCustomerUuid,
    subscriptionPlanUuid: plan.uuid,
    status,
    userEmail: isHeld ? `learner-${at}@${plan.uuid}.example` : null,
    lmsUserId: isUsed ? at + 1 : null,
    activationKey: isHeld ? newUuid() : null,
    assignedDate: isHeld ? now : null,
    activationDate: isUsed ? now : null,
    lastRemindDate: isHeld ? now : null,
    revokedDate: status === 'revoked' ? now : null,
    renewedToUuid: null,
    autoApplied: false,
    salesforceContactId: null,
    remindedOfExpiration: null,
    toldOfExpiration: null,
    unlinked: null,
    halfYearAnnounced: null,
    created: now,
    modified: now,
  };
}

const madeUpPlan = (
  agreement: { readonly uuid: string; readonly customer: string },
  at: number,
  now: Date,
): PlanRow => ({
  uuid: newUuid(),
  enterpriseCustomerUuid: agreement.customer,
  customerAgreementUuid: agreement.uuid,
  title: `Made-up plan ${at + 1}`,
  startDate: now,
  expirationDate: new Date(now.getTime() + (at + 1) * 180 * DAY_MS),
  expirationProcessed: false,
  enterpriseCatalogUuid: newUuid(),
  isActive: true,
  isRevocationCapEnabled: false,
  revokeMaxPercentage: 5,
  numRevocationsApplied: 0,
  salesforceOpportunityLineItem: LINE_ITEM,
  productId: null,
  forInternalUseOnly: true,
  canFreezeUnusedLicenses: false,
  lastFreezeTimestamp: null,
  shouldAutoApplyLicenses: null,
  autoApplySince: null,
  desiredNumLicenses: null,
  priority: 0,
  expirationProgressOf: null,
  expirationSentTo: null,
  expirationAnnouncedTo: null,
  unassignedCount: 0,
  assignedCount: 0,
  activatedCount: 0,
  revokedCount: 0,
  retiredCount: 0,
  created: now,
  modified: now,
});

async function fillPlan(trx: Transaction, plan: PlanRow, from: number, to: number, now: Date): Promise<void> {
  await holdPlan(trx, plan.uuid);
  const rows = Array.from({ length: to - from }, (_, at) => madeUpLicense(plan, from + at, now));
  await insertLicenses(trx, plan.uuid, rows);
}

/** Customers that nobody knows, with plans for internal use. */
export async function onManufactureData(
  { runtime, signal, dryRun }: JobRun,
  { agreements, plans, licenses }: z.infer<typeof contracts.manufactureData.payload>,
) {
  const { db, clock, settings } = runtime;
  assertAllowed(settings);
  const done = { agreements, plans: agreements * plans, licenses: agreements * plans * licenses };
  if (dryRun) return done;
  for (let at = 0; at < agreements; at += 1) {
    const customer = newUuid();
    const { uuid } = await createAgreement(runtime, {
      enterpriseCustomerUuid: customer,
      enterpriseCustomerSlug: `made-up-${customer}`,
    });
    for (let nth = 0; nth < plans; nth += 1) {
      const now = clock();
      const plan = madeUpPlan({ uuid, customer }, nth, now);
      await transaction(db, (trx) => subscriptionPlans.insert(trx, plan));
      for (let from = 0; from < licenses; from += ROWS_AT_ONCE) {
        signal.throwIfAborted();
        await transaction(db, (trx) => fillPlan(trx, plan, from, Math.min(licenses, from + ROWS_AT_ONCE), now));
      }
    }
  }
  return done;
}
