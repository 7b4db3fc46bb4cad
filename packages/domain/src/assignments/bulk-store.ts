import type { Connection, Transaction } from '@enterprise-access/db';
import type { bulkOutcomes } from './allocation-contract.ts';
import type { Doer } from './store.ts';

export type BulkOutcome = Exclude<(typeof bulkOutcomes)[number], 'waiting'>;

/** A bulk allocation. */
export interface Batch {
  readonly uuid: string;
  readonly policyUuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly contentKey: string;
  readonly priceCents: number;
  readonly suppressEmail: boolean;
  readonly source: Doer['source'];
  readonly actorUserId: number | null;
  readonly actorLmsUserId: number | null;
  readonly learnerCount: number;
  readonly created: Date;
}

/** Learners who are allocated in one transaction, with their outcomes; null is not done yet. */
export interface Chunk {
  readonly position: number;
  readonly learnerEmails: readonly string[];
  readonly outcomes: readonly (BulkOutcome | null)[];
}

interface ChunkRow {
  position: number;
  learner_emails: string[] | string;
  outcomes: (BulkOutcome | null)[] | string;
}

// MariaDB keeps JSON as text.
const parsed = <T>(value: T | string): T => (typeof value === 'string' ? JSON.parse(value) : value);

const chunkOf = (row: ChunkRow): Chunk => ({
  position: row.position,
  learnerEmails: parsed(row.learner_emails),
  outcomes: parsed(row.outcomes),
});

export async function insert(trx: Transaction, batch: Batch, chunks: readonly Chunk[]): Promise<void> {
  await trx('allocation_batches').insert({
    uuid: batch.uuid,
    policy_uuid: batch.policyUuid,
    enterprise_customer_uuid: batch.enterpriseCustomerUuid,
    content_key: batch.contentKey,
    price_cents: batch.priceCents,
    suppress_email: batch.suppressEmail,
    source: batch.source,
    actor_user_id: batch.actorUserId,
    actor_lms_user_id: batch.actorLmsUserId,
    learner_count: batch.learnerCount,
    created: batch.created,
    modified: batch.created,
  });
  await trx('allocation_chunks').insert(
    chunks.map(({ position, learnerEmails, outcomes }) => ({
      batch_uuid: batch.uuid,
      position,
      learner_emails: JSON.stringify(learnerEmails),
      outcomes: JSON.stringify(outcomes),
      created: batch.created,
    })),
  );
}

export const find = async (db: Connection, uuid: string): Promise<Batch | undefined> =>
  db('allocation_batches').where({ uuid }).first<Batch | undefined>({
    uuid: 'uuid',
    policyUuid: 'policy_uuid',
    enterpriseCustomerUuid: 'enterprise_customer_uuid',
    contentKey: 'content_key',
    priceCents: 'price_cents',
    suppressEmail: 'suppress_email',
    source: 'source',
    actorUserId: 'actor_user_id',
    actorLmsUserId: 'actor_lms_user_id',
    learnerCount: 'learner_count',
    created: 'created',
  });

export async function chunksOf(db: Connection, batchUuid: string): Promise<Chunk[]> {
  const rows: ChunkRow[] = await db('allocation_chunks').where({ batch_uuid: batchUuid }).orderBy('position');
  return rows.map(chunkOf);
}

/** Positions of unfinished chunks, in order. */
export async function openPositions(db: Connection, batchUuid: string): Promise<number[]> {
  const rows: { position: number }[] = await db('allocation_chunks')
    .where({ batch_uuid: batchUuid })
    .whereNull('finished')
    .orderBy('position')
    .select('position');
  return rows.map(({ position }) => position);
}

/** Locks an unfinished chunk; undefined if it was finished meanwhile. */
export async function holdOpen(trx: Transaction, batchUuid: string, position: number): Promise<Chunk | undefined> {
  const row: ChunkRow | undefined = await trx('allocation_chunks')
    .where({ batch_uuid: batchUuid, position })
    .whereNull('finished')
    .forUpdate()
    .first();
  return row && chunkOf(row);
}

/** Stores outcomes. A chunk with a finish time is skipped until it is reopened. */
export const setOutcomes = (
  trx: Transaction,
  batchUuid: string,
  chunk: Chunk,
  outcomes: readonly (BulkOutcome | null)[],
  finished: Date | null,
): Promise<number> =>
  trx('allocation_chunks')
    .where({ batch_uuid: batchUuid, position: chunk.position })
    .update({ outcomes: JSON.stringify(outcomes), finished });

/** Locks all chunks. */
export async function holdAll(trx: Transaction, batchUuid: string): Promise<Chunk[]> {
  const rows: ChunkRow[] = await trx('allocation_chunks')
    .where({ batch_uuid: batchUuid })
    .orderBy('position')
    .forUpdate();
  return rows.map(chunkOf);
}
