import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, insertIfAbsent, isDatabaseUnavailable } from '@enterprise-access/db';
import { z } from 'zod';
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

const stored = z.object({
  fingerprint: z.string(),
  reply: z.union([z.string(), z.record(z.string(), z.unknown())]).nullable(),
  created: z.date(),
  started: z.date(),
});

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
  const row = { actor: sha256(attempt.actor), operation: attempt.operation, idempotency_key: attempt.key };
  const fingerprint = sha256(canonical(attempt.input));
  const claimed = await insertIfAbsent(db, 'idempotency_records', { ...row, fingerprint, created: now, started: now });
  if (!claimed) {
    const found = await db('idempotency_records').where(row).first('fingerprint', 'reply', 'created', 'started');
    const before = stored.safeParse(found);
    // The row is gone: the first attempt was refused meanwhile and released the key.
    if (!before.success) throw idempotencyKeyInUse({});
    const isOver = now.getTime() - before.data.created.getTime() > REPLAY_MS;
    if (!isOver && before.data.fingerprint !== fingerprint) throw idempotencyKeyReused({});
    if (!isOver && before.data.reply !== null) return replay(before.data.reply);
    const isAbandoned = now.getTime() - before.data.started.getTime() > ABANDONED_MS;
    if (!isOver && !isAbandoned) throw idempotencyKeyInUse({});
    const taken = await db('idempotency_records')
      .where({ ...row, started: before.data.started })
      .update({ fingerprint, reply: null, started: now, ...(isOver ? { created: now } : {}) });
    if (taken === 0) throw idempotencyKeyInUse({});
  }
  // Matches our attempt only: if another attempt has taken over, this one must not store a reply.
  const own = { ...row, started: now };
  let reply: unknown;
  try {
    reply = await run();
  } catch (error) {
    await release(db, own);
    throw error;
  }
  // Not final: release the key, so that a repeat gets the final reply.
  if (!isFinal(reply)) {
    await db('idempotency_records').where(own).delete();
    return reply;
  }
  await keep(runtime, own, reply);
  return reply;
}

/**
 * Stores the reply. The mutation is committed already, so a failure here is logged and not returned to the caller.
 * Without the record, a repeat runs the handler again, which is idempotent.
 */
async function keep({ db, log }: Pick<Runtime, 'db' | 'log'>, own: object, reply: unknown): Promise<void> {
  try {
    await db('idempotency_records')
      .where(own)
      .update({ reply: JSON.stringify(storedForm.serialize(reply)) });
  } catch (err) {
    log.error({ err }, 'the reply of a mutation could not be stored for repeats');
    await db('idempotency_records')
      .where(own)
      .delete()
      .catch(() => undefined);
  }
}

const storedForm = transformer.output;

/**
 * Releases the key after a failure. While the database is down, it retries in the background: otherwise a repeat
 * would get "key in use" for a minute after the outage.
 */
async function release(db: Database, own: object): Promise<void> {
  const attempt = () => db('idempotency_records').where(own).delete();
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

const replay = (reply: string | Record<string, unknown>): unknown =>
  storedForm.deserialize(typeof reply === 'string' ? JSON.parse(reply) : reply);
