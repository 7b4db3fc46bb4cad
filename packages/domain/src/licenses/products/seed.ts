import { recordChanges, type Transaction, transaction } from '@enterprise-access/db';
import { z } from 'zod';
import { newUuid } from '../../kernel/ids.ts';
import { defineJob, type JobRun } from '../../kernel/jobs/job.ts';
import { products } from '../tables.ts';
import * as store from './store.ts';

interface Seed {
  readonly name: string;
  readonly description: string;
  readonly planType: string;
  readonly netsuiteId: number | null;
}

/** Plan type of the trials that customers begin by themselves. */
const SELF_SERVICE_TRIAL = 'self-service-trial';

const academies: readonly Seed[] = [
  'AI',
  'Sustainability',
  'Tech and Digital',
  'Data',
  'Management',
  'Leadership',
  'Supply Chain',
  'Communication',
].map((topic) => {
  const name = `SSP Essentials ${topic} Academy`;
  return { name, description: name, planType: SELF_SERVICE_TRIAL, netsuiteId: null };
});

const standard: readonly Seed[] = [
  { name: 'B2B Paid', description: 'B2B Catalog', planType: 'Standard Paid', netsuiteId: 106 },
  { name: 'OC Paid', description: 'OC Catalog', planType: 'Standard Paid', netsuiteId: 110 },
  { name: 'Trial', description: 'Trial', planType: 'Trial', netsuiteId: null },
  { name: 'Test', description: 'Test', planType: 'Test', netsuiteId: null },
  { name: 'OCE', description: 'OCE', planType: 'OCE', netsuiteId: null },
];

const idOf = (label: string, types: readonly store.PlanTypeRow[]) => types.find((type) => type.label === label)?.id;

/** Seeds whose plan type exists, and that are not there yet. Existing products are left as they are (R-LICX-07). */
async function missing(trx: Transaction, seeds: readonly Seed[]) {
  const types = await store.planTypesLabelled(trx, [...new Set(seeds.map(({ planType }) => planType))]);
  const known = await store.productsOfTypes(
    trx,
    types.map(({ id }) => id),
  );
  return seeds.flatMap(({ planType, ...seed }) => {
    const planTypeId = idOf(planType, types);
    const isKnown = known.some(({ name, planTypeId: id }) => name === seed.name && id === planTypeId);
    return planTypeId === undefined || isKnown ? [] : [{ ...seed, planTypeId }];
  });
}

async function seed(trx: Transaction, seeds: readonly Seed[], now: Date): Promise<number> {
  const rows = await missing(trx, seeds);
  for (const row of rows) {
    const salesforceProductId = null;
    const stored = await store.insertProduct(trx, {
      ...row,
      uuid: newUuid(),
      salesforceProductId,
      created: now,
      modified: now,
    });
    recordChanges(trx, products, [{ before: null, after: stored }]);
  }
  return rows.length;
}

/** The products of trials, as soon as there is their plan type. */
export const seedAcademies = (trx: Transaction, now: Date): Promise<number> => seed(trx, academies, now);

export const seedProducts = defineJob({
  name: 'licenses.seedProducts',
  summary: 'Create the standard products that are missing, and the plan type of self-service trials.',
  payload: z.object({}),
  result: z.object({ created: z.int().min(0) }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 10, maximumDelaySeconds: 60 },
  timeoutSeconds: 60,
});

const trialType = async (trx: Transaction): Promise<boolean> => {
  const known = await store.planTypesLabelled(trx, [SELF_SERVICE_TRIAL]);
  if (known.length > 0) return false;
  await store.insertPlanType(trx, {
    id: await store.nextPlanTypeId(trx),
    label: SELF_SERVICE_TRIAL,
    description: 'Trial that a customer begins without sales',
    isPaidSubscription: false,
    nsIdRequired: false,
    sfIdRequired: false,
    internalUseOnly: false,
  });
  return true;
};

/** Idempotent, and so safe to run at every start (W-LICX-23). */
export const onSeedProducts = ({ runtime, dryRun }: JobRun): Promise<{ created: number }> =>
  transaction(runtime.db, async (trx) => {
    const seeds = [...standard, ...academies];
    if (dryRun) return { created: (await missing(trx, seeds)).length };
    await trialType(trx);
    return { created: await seed(trx, seeds, runtime.clock()) };
  });
