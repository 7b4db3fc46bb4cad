import type { Connection, Row, Transaction } from '@enterprise-access/db';
import { expiryOf } from '../kernel/expiry.ts';
import type { BulkOutcome } from './allocation-contract.ts';
import { allocationBatches, allocationChunks } from './tables.ts';

export type { BulkOutcome };

/** A long list of learners and what they are allocated. */
export type Batch = Readonly<Omit<Row<typeof allocationBatches>, 'modified'>>;
/** Learners who are allocated in one transaction, and what became of each. */
export type Chunk = Readonly<Pick<Row<typeof allocationChunks>, 'position' | 'learnerEmails' | 'outcomes'>>;

export async function insert(trx: Transaction, batch: Batch, chunks: readonly Chunk[]): Promise<void> {
  const { uuid: batchUuid, enterpriseCustomerUuid, created } = batch;
  await trx(allocationBatches.table).insert(allocationBatches.encode({ ...batch, modified: created }));
  await trx(allocationChunks.table).insert(
    chunks.map((chunk) => allocationChunks.encode({ ...chunk, batchUuid, enterpriseCustomerUuid, created })),
  );
}

export const find = (db: Connection, uuid: string): Promise<Batch | undefined> => allocationBatches.find(db, uuid);

export async function chunksOf(db: Connection, batchUuid: string): Promise<Chunk[]> {
  const rows: object[] = await db(allocationChunks.table).where({ batch_uuid: batchUuid }).orderBy('position');
  return rows.map(allocationChunks.decode);
}

/** Positions of chunks that are not finished, in order. */
export async function openPositions(db: Connection, batchUuid: string): Promise<number[]> {
  return db(allocationChunks.table)
    .where({ batch_uuid: batchUuid })
    .whereNull('finished')
    .orderBy('position')
    .pluck('position');
}

/** A chunk that is not finished, held until the transaction ends; undefined when somebody has finished it. */
export async function holdOpen(trx: Transaction, batchUuid: string, position: number): Promise<Chunk | undefined> {
  const row: object | undefined = await trx(allocationChunks.table)
    .where({ batch_uuid: batchUuid, position })
    .whereNull('finished')
    .forUpdate()
    .first();
  return row && allocationChunks.decode(row);
}

/** Stores outcomes; a chunk with a finish is not looked at again unless it is opened anew. */
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

/** Every chunk, held until the transaction ends. */
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
