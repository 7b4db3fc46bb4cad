import { type Connection, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import { bulkEnrollmentPairs, bulkEnrollments } from '../tables.ts';
import { type PairOutcome, pairOutcomes } from './contract.ts';
import { groupsOf, type Pair } from './rules.ts';

export type BulkRow = Readonly<Row<typeof bulkEnrollments>>;
export type PairRow = Readonly<Row<typeof bulkEnrollmentPairs>>;

const BULKS = bulkEnrollments.table;
const PAIRS = bulkEnrollmentPairs.table;
const ROWS = 500;

export const insert = (trx: Transaction, bulk: BulkRow): Promise<void> => bulkEnrollments.insert(trx, bulk);
export const find = (db: Connection, uuid: string): Promise<BulkRow | undefined> => bulkEnrollments.find(db, uuid);
export const change = (trx: Transaction, before: BulkRow, after: BulkRow, note?: string): Promise<void> =>
  bulkEnrollments.change(trx, before, after, note);

/** Locks a bulk enrollment whose pairs are not all there; undefined if they are. */
export const holdUnplanned = async (trx: Transaction, uuid: string): Promise<BulkRow | undefined> => {
  const row: object | undefined = await trx(BULKS).where({ uuid, is_planned: false }).forUpdate().first();
  return row && bulkEnrollments.decode(row);
};

export async function insertPairs(trx: Transaction, bulk: BulkRow, pairs: readonly Pair[], now: Date): Promise<void> {
  const { uuid: bulkEnrollmentUuid, enterpriseCustomerUuid } = bulk;
  for (const some of groupsOf(pairs, ROWS)) {
    const rows = some.map((pair) =>
      bulkEnrollmentPairs.encode({
        ...pair,
        bulkEnrollmentUuid,
        enterpriseCustomerUuid,
        licenseUuid: null,
        outcome: null,
        created: now,
      }),
    );
    await trx(PAIRS).insert(rows);
  }
}

/** Last position and batch; -1 without pairs. */
export async function lastPair(db: Connection, uuid: string): Promise<{ position: number; batch: number }> {
  const row = await db(PAIRS)
    .where({ bulk_enrollment_uuid: uuid })
    .orderBy('position', 'desc')
    .first('position', 'batch');
  return row ?? { position: -1, batch: -1 };
}

/** Batches that have pairs without an outcome, after the given one. */
export const openBatches = (db: Connection, uuid: string, after: number, limit: number): Promise<number[]> =>
  db(PAIRS)
    .where({ bulk_enrollment_uuid: uuid })
    .whereNull('outcome')
    .where('batch', '>', after)
    .distinct('batch')
    .orderBy('batch')
    .limit(limit)
    .pluck('batch');

/** Pairs of a batch without an outcome. */
export const openPairs = (db: Connection, uuid: string, batch: number): Promise<PairRow[]> =>
  db(PAIRS)
    .where({ bulk_enrollment_uuid: uuid, batch })
    .whereNull('outcome')
    .orderBy('position')
    .select(bulkEnrollmentPairs.aliased(PAIRS));

/** Stores outcomes and chosen licences, in one statement for each distinct change. */
export async function setPairs(
  db: Connection,
  uuid: string,
  changes: readonly {
    readonly position: number;
    readonly licenseUuid: string | null;
    readonly outcome: PairOutcome | null;
  }[],
): Promise<void> {
  const alike = Map.groupBy(changes, ({ licenseUuid, outcome }) => `${licenseUuid} ${outcome}`);
  for (const some of alike.values()) {
    const [first] = some;
    if (!first) continue;
    await db(PAIRS)
      .where({ bulk_enrollment_uuid: uuid })
      .whereIn(
        'position',
        some.map(({ position }) => position),
      )
      .whereNull('outcome')
      .update({ license_uuid: first.licenseUuid, outcome: first.outcome });
  }
}

/** Gives all pairs without an outcome this one. */
export const closeOpenPairs = (db: Connection, uuid: string, outcome: PairOutcome): Promise<number> =>
  db(PAIRS).where({ bulk_enrollment_uuid: uuid }).whereNull('outcome').update({ outcome });

/** Number of pairs by outcome; `waiting` without one. */
export async function countsOf(db: Connection, uuid: string): Promise<Record<PairOutcome | 'waiting', number>> {
  const rows: { outcome: PairOutcome | null; n: number }[] = await db(PAIRS)
    .where({ bulk_enrollment_uuid: uuid })
    .groupBy('outcome')
    .select('outcome')
    .count({ n: '*' });
  const of = (wanted: PairOutcome | null) => Number(rows.find(({ outcome }) => outcome === wanted)?.n ?? 0);
  return {
    waiting: of(null),
    success: of('success'),
    pending: of('pending'),
    failed: of('failed'),
    missing_subscription: of('missing_subscription'),
    invalid_address: of('invalid_address'),
  };
}

const unsuccessful = pairOutcomes.filter((outcome) => outcome !== 'success' && outcome !== 'pending');

/** Pairs in their order. */
export async function pageOfPairs(
  db: Connection,
  uuid: string,
  { onlyFailed, offset, limit }: { readonly onlyFailed: boolean; readonly offset: number; readonly limit: number },
): Promise<PairRow[]> {
  const query = db(PAIRS)
    .where({ bulk_enrollment_uuid: uuid })
    .orderBy('position')
    .offset(offset)
    .limit(limit)
    .select(bulkEnrollmentPairs.aliased(PAIRS));
  return onlyFailed ? query.whereIn('outcome', unsuccessful) : query;
}

/** Pairs after a position. */
export const pairsAfter = (db: Connection, uuid: string, position: number, limit: number): Promise<PairRow[]> =>
  db(PAIRS)
    .where({ bulk_enrollment_uuid: uuid })
    .where('position', '>', position)
    .orderBy('position')
    .limit(limit)
    .select(bulkEnrollmentPairs.aliased(PAIRS));

/** Bulk enrollments created before a time, oldest first. */
export async function createdBefore(db: Connection, before: Date, limit: number): Promise<BulkRow[]> {
  const rows: object[] = await db(BULKS).where('created', '<', before).orderBy(['created', 'uuid']).limit(limit);
  return rows.map((row) => bulkEnrollments.decode(row));
}

export const countCreatedBefore = async (db: Connection, before: Date): Promise<number> =>
  Number((await db(BULKS).where('created', '<', before).count({ n: '*' }).first())?.n ?? 0);

/** Deletes some pairs; returns how many. */
export async function deletePairs(db: Connection, uuid: string, limit: number): Promise<number> {
  const last = await db(PAIRS)
    .where({ bulk_enrollment_uuid: uuid })
    .orderBy('position')
    .offset(limit - 1)
    .first('position');
  const query = db(PAIRS).where({ bulk_enrollment_uuid: uuid });
  return last === undefined ? query.delete() : query.where('position', '<=', last.position).delete();
}

export async function remove(trx: Transaction, bulk: BulkRow): Promise<void> {
  await trx(BULKS).where({ uuid: bulk.uuid }).delete();
  recordChanges(trx, bulkEnrollments, [{ before: bulk, after: null }]);
}
