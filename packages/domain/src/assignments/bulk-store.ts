import { type Connection, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import { expiryOf } from '../kernel/expiry.ts';
import type { BulkOutcome } from './allocation-contract.ts';
import { allocationBatches, allocationChunks } from './tables.ts';

export type { BulkOutcome };

/** A bulk allocation. */
export type Batch = Readonly<Omit<Row<typeof allocationBatches>, 'modified'>>;
/** Learners who are allocated in one transaction, with their outcomes. */
export type Chunk = Readonly<Pick<Row<typeof allocationChunks>, 'position' | 'learnerEmails' | 'outcomes'>>;

export async function insert(trx: Transaction, batch: Batch, chunks: readonly Chunk[]): Promise<void> {
  const { uuid: batchUuid, enterpriseCustomerUuid, created } = batch;
  await allocationBatches.insert(trx, { ...batch, modified: created });
  await trx(allocationChunks.table).insert(
    chunks.map((chunk) => allocationChunks.encode({ ...chunk, batchUuid, enterpriseCustomerUuid, created })),
  );
}

/** Records that somebody let the batch go on. */
export const recordResumed = (trx: Transaction, batch: Batch): void =>
  recordChanges(trx, allocationBatches, [{ before: batch, after: batch, note: 'resumed' }]);

export const find = (db: Connection, uuid: string): Promise<Batch | undefined> => allocationBatches.find(db, uuid);

export async function chunksOf(db: Connection, batchUuid: string): Promise<Chunk[]> {
  const rows: object[] = await db(allocationChunks.table).where({ batch_uuid: batchUuid }).orderBy('position');
  return rows.map(allocationChunks.decode);
}

/** Positions of unfinished chunks, in order. */
export async function openPositions(db: Connection, batchUuid: string): Promise<number[]> {
  return db(allocationChunks.table)
    .where({ batch_uuid: batchUuid })
    .whereNull('finished')
    .orderBy('position')
    .pluck('position');
}

/** Locks an unfinished chunk; undefined if it was finished meanwhile. */
export async function holdOpen(trx: Transaction, batchUuid: string, position: number): Promise<Chunk | undefined> {
  const row: object | undefined = await trx(allocationChunks.table)
    .where({ batch_uuid: batchUuid, position })
    .whereNull('finished')
    .forUpdate()
    .first();
  return row && allocationChunks.decode(row);
}

/** Stores outcomes. A chunk with a finish time is skipped until it is reopened. */
export const setOutcomes = (
  trx: Transaction,
  batchUuid: string,
  chunk: Chunk,
  outcomes: readonly (BulkOutcome | null)[],
  finished: Date | null,
): Promise<number> =>
  trx(allocationChunks.table)
    .where({ batch_uuid: batchUuid, position: chunk.position })
    .update(allocationChunks.encode({ outcomes, finished }));

/** Locks all chunks. */
export async function holdAll(trx: Transaction, batchUuid: string): Promise<Chunk[]> {
  const rows: object[] = await trx(allocationChunks.table)
    .where({ batch_uuid: batchUuid })
    .orderBy('position')
    .forUpdate();
  return rows.map(allocationChunks.decode);
}

/** Lists of learners that were allocated to long ago. */
export const bulkExpiry = {
  chunks: expiryOf(allocationChunks, 'created'),
  batches: expiryOf(allocationBatches, 'created'),
};
