import { isUniqueViolation, recordChanges, type Transaction, transaction } from '@enterprise-access/db';
import type { Input } from '../../kernel/contract.ts';
import { invalidInput, notFound } from '../../kernel/errors.ts';
import { newUuid } from '../../kernel/ids.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { products } from '../tables.ts';
import type * as contract from './contract.ts';
import { seedAcademies } from './seed.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;

const shown = (
  { id, name, description, salesforceProductId, netsuiteId, planTypeId }: store.ProductRow,
  types: ReadonlyMap<number, store.PlanTypeRow>,
): contract.Product => ({
  id,
  name,
  description,
  salesforceProductId,
  netsuiteId,
  planType: planTypeId,
  planTypeLabel: types.get(planTypeId)?.label ?? '',
});

export async function list({ db }: Deps, input: Input<typeof contract.list>): Promise<Page<contract.Product>> {
  const { rows, count } = await store.pageOfProducts(db, sliceOf(input));
  assertPageExists(input, rows);
  const types = await store.planTypesById(
    db,
    rows.map(({ planTypeId }) => planTypeId),
  );
  return pageOf(
    input,
    rows.map((row) => shown(row, types)),
    count,
  );
}

/** Runs `work` in a transaction; a name or label that is taken is bad input. */
async function storing<T>({ db }: Deps, taken: Record<string, string[]>, work: (trx: Transaction) => Promise<T>) {
  try {
    return await transaction(db, work);
  } catch (error) {
    if (isUniqueViolation(error)) throw invalidInput({ fields: taken }, { cause: error });
    throw error;
  }
}

const nameTaken = { non_field_errors: ['The fields name, plan_type must make a unique set.'] };
const labelTaken = { label: ['Plan Type with this label already exists.'] };

/** The plan type of a product, which says whether it needs a NetSuite id (R-LICX-53). */
async function termsOf(
  trx: Transaction,
  { planTypeId, netsuiteId }: Pick<store.ProductRow, 'planTypeId' | 'netsuiteId'>,
) {
  const types = await store.planTypesById(trx, [planTypeId]);
  const type = types.get(planTypeId);
  if (!type) throw invalidInput({ fields: { plan_type: [`Invalid pk "${planTypeId}" - object does not exist.`] } });
  if (type.nsIdRequired && netsuiteId === null)
    throw invalidInput({ fields: { netsuite_id: ['You must specify Netsuite ID for selected plan type.'] } });
  return types;
}

export const create = (deps: Deps, { planType, ...fields }: Input<typeof contract.create>): Promise<contract.Product> =>
  storing(deps, nameTaken, async (trx) => {
    const now = deps.clock();
    const row = { ...fields, uuid: newUuid(), planTypeId: planType, created: now, modified: now };
    const types = await termsOf(trx, row);
    const stored = await store.insertProduct(trx, row);
    recordChanges(trx, products, [{ before: null, after: stored }]);
    return shown(stored, types);
  });

const given = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

export const update = (deps: Deps, { id, planType, ...fields }: Input<typeof contract.update>) =>
  storing(deps, nameTaken, async (trx): Promise<contract.Product> => {
    const before = await store.holdProduct(trx, id);
    if (!before) throw notFound({}, { message: 'No Product matches the given query.' });
    const after: store.ProductRow = {
      ...before,
      ...given(fields),
      planTypeId: planType ?? before.planTypeId,
      modified: deps.clock(),
    };
    const types = await termsOf(trx, after);
    await products
      .query(trx)
      .findById(id)
      .patch({ ...after });
    recordChanges(trx, products, [{ before, after }]);
    return shown(after, types);
  });

export async function listPlanTypes(
  { db }: Deps,
  input: Input<typeof contract.listPlanTypes>,
): Promise<Page<contract.PlanType>> {
  const { rows, count } = await store.pageOfPlanTypes(db, sliceOf(input));
  assertPageExists(input, rows);
  return pageOf(input, rows, count);
}

export const createPlanType = (deps: Deps, input: Input<typeof contract.createPlanType>): Promise<contract.PlanType> =>
  storing(deps, labelTaken, async (trx) => {
    const row = { id: await store.nextPlanTypeId(trx), ...input };
    await store.insertPlanType(trx, row);
    await seedAcademies(trx, deps.clock());
    return row;
  });

export const updatePlanType = (deps: Deps, { id, ...fields }: Input<typeof contract.updatePlanType>) =>
  storing(deps, labelTaken, async (trx): Promise<contract.PlanType> => {
    const before = await store.holdPlanType(trx, id);
    if (!before) throw notFound({}, { message: 'No PlanType matches the given query.' });
    const after = { ...before, ...given(fields) };
    await store.updatePlanType(trx, after);
    return after;
  });
