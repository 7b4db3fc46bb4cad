import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, defineModel, insertIfAbsent, is, isDatabaseUnavailable, type Row } from '@enterprise-access/db';
import { idempotencyKeyInUse, idempotencyKeyReused, invalidInput } from './errors.ts';
import type { Runtime } from './runtime.ts';
import { transformer } from './transformer.ts';

/** How long a reply is replayed, in milliseconds. */
export const REPLAY_MS = 24 * 3_600_000;
/** After this time without a result, the process that holds the key counts as crashed. */
const ABANDONED_MS = 60_000;
const RELEASE_PAUSE_MS = 250;

interface Attempt {
  readonly actor: string;
  readonly operation: string;
  readonly key: string;
  /** Customer that the request is about; null when its input names none. */
  readonly customer: string | null;
  readonly input: unknown;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Canonical JSON: independent of the order of fields. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_name, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item) && !(item instanceof Date)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  ) ?? '';

const storedForm = transformer.output;
type StoredReply = ReturnType<typeof storedForm.serialize>;

/** Replies to mutations, by caller, operation and key. */
export const idempotencyRecords = defineModel('idempotency_records', {
  tenant: 'enterpriseCustomerUuid',
  key: ['actor', 'operation', 'idempotencyKey'],
  columns: {
    actor: is.code(),
    operation: is.code(),
    idempotencyKey: is.text(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    fingerprint: is.code(),
    reply: is
      .json<StoredReply>()
      .nullable()
      .personalData({
        holds: 'The reply to a mutation, to be replayed.',
        ends: { job: 'housekeeping.expire' },
      }),
    created: is.instant(),
    started: is.instant(),
  },
});
type Own = Pick<Row<typeof idempotencyRecords>, 'actor' | 'operation' | 'idempotencyKey' | 'started'>;

/**
 * Runs a mutation once per caller, operation and key, and replays its reply for a day. Only final successes are
 * stored: a refused mutation changed nothing, so it can be retried with the same key. Handlers are idempotent
 * themselves; the key avoids the work and guarantees the same reply.
 */
export async function once(
  runtime: Pick<Runtime, 'db' | 'clock' | 'log'>,
  attempt: Attempt,
  run: () => Promise<unknown>,
  isFinal: (reply: unknown) => boolean = () => true,
): Promise<unknown> {
  if (attempt.key.length === 0 || attempt.key.length > 255) {
    throw invalidInput({ fields: { idempotency_key: ['Ensure this header has 1 to 255 characters.'] } });
  }
  const { db, clock } = runtime;
  const now = clock();
  const record = { actor: sha256(attempt.actor), operation: attempt.operation, idempotencyKey: attempt.key };
  const row = idempotencyRecords.encode(record);
  const records = () => db(idempotencyRecords.table);
  const fingerprint = sha256(canonical(attempt.input));
  const claim = { ...record, enterpriseCustomerUuid: attempt.customer, fingerprint, created: now, started: now };
  const claimed = await insertIfAbsent(db, idempotencyRecords.table, idempotencyRecords.encode(claim));
  if (!claimed) {
    const found: object | undefined = await records().where(row).first();
    // The row is gone: the first attempt was refused meanwhile and released the key.
    if (!found) throw idempotencyKeyInUse({});
    const before = idempotencyRecords.decode(found);
    const isOver = now.getTime() - before.created.getTime() > REPLAY_MS;
    if (!isOver && before.fingerprint !== fingerprint) throw idempotencyKeyReused({});
    if (!isOver && before.reply !== null) return replay(before.reply);
    const isAbandoned = now.getTime() - before.started.getTime() > ABANDONED_MS;
    if (!isOver && !isAbandoned) throw idempotencyKeyInUse({});
    const taken = await records()
      .where({ ...row, started: before.started })
      .update({ fingerprint, reply: null, started: now, ...(isOver ? { created: now } : {}) });
    if (taken === 0) throw idempotencyKeyInUse({});
  }
  // Matches our attempt only: if another attempt has taken over, this one must not store a reply.
  const own = { ...record, started: now };
  let reply: unknown;
  try {
    reply = await run();
  } catch (error) {
    await release(db, own);
    throw error;
  }
  // Not final: release the key, so that a repeat gets the final reply.
  if (!isFinal(reply)) {
    await ownRecord(db, own).delete();
    return reply;
  }
  await keep(runtime, own, reply);
  return reply;
}

/**
 * Stores the reply. The mutation is committed already, so a failure here is logged and not returned to the caller.
 * Without the record, a repeat runs the handler again, which is idempotent.
 */
async function keep({ db, log }: Pick<Runtime, 'db' | 'log'>, own: Own, reply: unknown): Promise<void> {
  try {
    await ownRecord(db, own).update(idempotencyRecords.encode({ reply: storedForm.serialize(reply) }));
  } catch (err) {
    log.error({ err }, 'the reply of a mutation could not be stored for its idempotency key');
    await ownRecord(db, own)
      .delete()
      .catch(() => undefined);
  }
}

const ownRecord = (db: Database, own: Own) => db(idempotencyRecords.table).where(idempotencyRecords.encode(own));

/**
 * Releases the key after a failure. While the database is down, it retries in the background: otherwise a repeat
 * would get "key in use" for a minute after the outage.
 */
async function release(db: Database, own: Own): Promise<void> {
  const attempt = () => ownRecord(db, own).delete();
  try {
    await attempt();
  } catch (error) {
    if (!isDatabaseUnavailable(error)) throw error;
    void releaseLater(attempt);
  }
}

async function releaseLater(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + ABANDONED_MS;
  while (performance.now() < deadline) {
    await sleep(RELEASE_PAUSE_MS, undefined, { ref: false });
    try {
      await attempt();
      return;
    } catch (error) {
      if (!isDatabaseUnavailable(error)) return;
    }
  }
}

const replay = (reply: StoredReply): unknown => storedForm.deserialize(reply);
