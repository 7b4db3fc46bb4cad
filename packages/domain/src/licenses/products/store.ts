import { type Connection, type Row, type Transaction, touch } from '@enterprise-access/db';
import { planTypes, products } from '../tables.ts';

export type ProductRow = Readonly<Row<typeof products>>;
export type PlanTypeRow = Readonly<Row<typeof planTypes>>;

interface Slice {
  readonly offset: number;
  readonly limit: number;
}

/** What a plan must have for a product. */
export interface ProductTerms {
  readonly id: number;
  readonly sfIdRequired: boolean;
}

export const findProduct = async (db: Connection, id: number): Promise<ProductTerms | undefined> =>
  db(products.table)
    .join(planTypes.table, `${planTypes.table}.id`, `${products.table}.plan_type_id`)
    .where({ [`${products.table}.id`]: id })
    .first<ProductTerms>({ id: `${products.table}.id`, sfIdRequired: `${planTypes.table}.sf_id_required` });

const selectProducts = (db: Connection) => db(products.table).select<ProductRow[]>(products.aliased(products.table));
const selectTypes = (db: Connection) => db(planTypes.table).select<PlanTypeRow[]>(planTypes.aliased(planTypes.table));

const counted = async (db: Connection, table: string): Promise<number> =>
  Number((await db(table).count({ n: '*' }).first())?.n ?? 0);

export async function pageOfProducts(db: Connection, { offset, limit }: Slice) {
  const [rows, count] = await Promise.all([
    selectProducts(db).orderBy('id').offset(offset).limit(limit),
    counted(db, products.table),
  ]);
  return { rows, count };
}

export async function pageOfPlanTypes(db: Connection, { offset, limit }: Slice) {
  const [rows, count] = await Promise.all([
    selectTypes(db).orderBy('id').offset(offset).limit(limit),
    counted(db, planTypes.table),
  ]);
  return { rows, count };
}

export const planTypesById = async (db: Connection, ids: readonly number[]): Promise<Map<number, PlanTypeRow>> =>
  new Map((ids.length === 0 ? [] : await selectTypes(db).whereIn('id', [...new Set(ids)])).map((row) => [row.id, row]));

export const holdProduct = (trx: Transaction, id: number): Promise<ProductRow | undefined> =>
  selectProducts(trx).where({ id }).forUpdate().first();

export const productByUuid = (db: Connection, uuid: string): Promise<ProductRow | undefined> =>
  selectProducts(db).where({ uuid }).first();

export const productsOfTypes = async (db: Connection, planTypeIds: readonly number[]): Promise<ProductRow[]> =>
  planTypeIds.length === 0 ? [] : selectProducts(db).whereIn('plan_type_id', planTypeIds);

/** Stores a new product; the database gives its id. */
export async function insertProduct(trx: Transaction, row: Omit<ProductRow, 'id'>): Promise<ProductRow> {
  await trx(products.table).insert(products.encode(row));
  const stored = await productByUuid(trx, row.uuid);
  if (!stored) throw new Error('A product that was stored is not there.');
  return stored;
}

export const holdPlanType = (trx: Transaction, id: number): Promise<PlanTypeRow | undefined> =>
  selectTypes(trx).where({ id }).forUpdate().first();

export const planTypesLabelled = (db: Connection, labels: readonly string[]): Promise<PlanTypeRow[]> =>
  selectTypes(db).whereIn('label', labels);

/** Ids of plan types are given by the caller: callers of the old service know the first ones by their id. */
export const nextPlanTypeId = async (trx: Transaction): Promise<number> => {
  const last = await selectTypes(trx).orderBy('id', 'desc').limit(1).forUpdate().first();
  return (last?.id ?? 0) + 1;
};

/** Plan types are no subject of the trail, which has an entry of who changed one. */
export const insertPlanType = async (trx: Transaction, row: PlanTypeRow): Promise<void> => {
  await trx(planTypes.table).insert(planTypes.encode(row));
  touch(trx);
};

export const updatePlanType = async (trx: Transaction, { id, ...row }: PlanTypeRow): Promise<void> => {
  await trx(planTypes.table).where({ id }).update(planTypes.encode(row));
  touch(trx);
};
