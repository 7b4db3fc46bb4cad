import { appendToOutbox, transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../kernel/jobs/job.ts';
import { eventOf } from '../kernel/ports/stripe.ts';
import { intentOf } from './handle-event.ts';
import { expireLapsed } from './intents.ts';
import type * as contracts from './job-contracts.ts';
import { stalledMessage } from './rules.ts';
import * as store from './store.ts';
import { subscriptionIdIn, summaryOf } from './summaries.ts';
import { checkoutIntents, stripeEventSummaries, stripeEvents } from './tables.ts';
import { annotateIntent, moveIntent } from './transition.ts';
import { jobOf } from './webhook.ts';

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** Terms of a purchase that came to nothing. */
const UNUSED_TERMS_DAYS = 90;

type Payload<C extends { readonly payload: z.ZodObject }> = z.infer<C['payload']>;

/** R-BILL-06. */
export async function onExpireIntents(
  { runtime, dryRun, signal }: JobRun,
  { batch }: Payload<typeof contracts.expireIntents>,
): Promise<{ expired: number }> {
  const now = runtime.clock();
  if (dryRun)
    return { expired: await store.countSince(runtime.db, { state: 'created', column: 'expires_at', before: now }) };
  return { expired: await expireLapsed(runtime, { batch, signal }) };
}

/** R-BILL-55: the row is read again under its lock, so an intent that was fulfilled meanwhile stays fulfilled. */
export async function onMarkStalled(
  { runtime, dryRun, signal }: JobRun,
  { thresholdSeconds, batch }: Payload<typeof contracts.markStalled>,
): Promise<{ stalled: number }> {
  const { db, clock } = runtime;
  const beforeOf = (now: Date) => new Date(now.getTime() - thresholdSeconds * SECOND_MS);
  const since = { state: 'paid', column: 'modified' } as const;
  if (dryRun) return { stalled: await store.countSince(db, { ...since, before: beforeOf(clock()) }) };
  for (let stalled = 0; ; ) {
    signal.throwIfAborted();
    const now = clock();
    const before = beforeOf(now);
    const uuids = await store.intentsSince(db, { ...since, before, limit: batch });
    for (const uuid of uuids)
      await transaction(db, async (trx) => {
        const row = await store.lockIntent(trx, uuid);
        if (row?.state !== 'paid' || row.modified > before) return;
        const changes = { lastProvisioningError: stalledMessage(row.modified, now, thresholdSeconds) };
        await moveIntent(trx, row, { to: 'errored_fulfillment_stalled', by: 'sweep', changes }, now);
        stalled += 1;
      });
    if (uuids.length < batch) return { stalled };
  }
}

/** Removes payloads of events, handled or not, and the acceptance of terms. */
export async function onScrub(
  { runtime, dryRun, signal }: JobRun,
  { batch }: Payload<typeof contracts.scrub>,
): Promise<{ events: number; intents: number }> {
  const { db, clock, settings } = runtime;
  const now = clock();
  const ago = (days: number) => new Date(now.getTime() - days * DAY_MS);
  const dueEvents = () =>
    db(stripeEvents.table).whereNull('scrubbed_at').where('created', '<', ago(settings.stripeEventDays));
  const dueIntents = () =>
    db(checkoutIntents.table)
      .whereNotNull('terms_metadata')
      .where((or) =>
        or
          .where('modified', '<', ago(settings.billingTermsDays))
          .orWhere((expired) => expired.where({ state: 'expired' }).where('modified', '<', ago(UNUSED_TERMS_DAYS))),
      );
  const countOf = async (query: ReturnType<typeof dueEvents>) =>
    Number((await query.count({ n: '*' }).first())?.n ?? 0);
  if (dryRun) return { events: await countOf(dueEvents()), intents: await countOf(dueIntents()) };
  const done = { events: 0, intents: 0 };
  for (let ids: string[] = []; ; ) {
    signal.throwIfAborted();
    ids = await dueEvents().orderBy('created').limit(batch).pluck('event_id');
    if (ids.length === 0) break;
    done.events += await db(stripeEvents.table)
      .whereIn('event_id', ids)
      .update(stripeEvents.encode({ data: {}, scrubbedAt: now }));
  }
  for (let uuids: string[] = []; ; ) {
    signal.throwIfAborted();
    uuids = await dueIntents().limit(batch).pluck('uuid');
    if (uuids.length === 0) return done;
    for (const uuid of uuids)
      await transaction(db, async (trx) => {
        const row = await store.lockIntent(trx, uuid);
        if (row) await annotateIntent(trx, row, { termsMetadata: null });
      });
    done.intents += uuids.length;
  }
}

/** Hands events on again that were not handled: dead letters, after their cause is mended. */
export async function onReplayEvents(
  { runtime, dryRun }: JobRun,
  { olderThanMinutes, limit }: Payload<typeof contracts.replayEvents>,
): Promise<{ replayed: number }> {
  const { db, clock } = runtime;
  const before = new Date(clock().getTime() - olderThanMinutes * 60 * SECOND_MS);
  const ids: string[] = await db(stripeEvents.table)
    .whereNull('handled_at')
    .whereNull('scrubbed_at')
    .where('created', '<=', before)
    .orderBy('created')
    .limit(limit)
    .pluck('event_id');
  if (!dryRun) await replay(runtime, ids);
  return { replayed: ids.length };
}

/** Enqueues the handling of events that were not handled; returns how many those are. */
export async function replay(
  { db, clock }: Pick<JobRun['runtime'], 'db' | 'clock'>,
  eventIds: readonly string[],
): Promise<number> {
  const rows = (await stripeEvents.query(db).whereIn('event_id', [...eventIds])).filter(
    ({ handledAt, scrubbedAt }) => handledAt === null && scrubbedAt === null,
  );
  await transaction(db, (trx) => appendToOutbox(trx, clock(), rows.map(jobOf)));
  return rows.length;
}

/** Builds the summaries of events that were handled without one, or of all whose payload is there. */
export async function onPopulateSummaries(
  { runtime, dryRun, signal }: JobRun,
  { batch, eventType, force }: Payload<typeof contracts.populateSummaries>,
): Promise<{ built: number; failed: number }> {
  const { db, clock, log } = runtime;
  const done = { built: 0, failed: 0 };
  for (let last = ''; ; ) {
    signal.throwIfAborted();
    const rows = await stripeEvents
      .query(db)
      .whereNotNull('handled_at')
      .whereNull('scrubbed_at')
      .where('event_id', '>', last)
      .modify((query) => {
        if (eventType !== undefined && /^[\w.]+$/.test(eventType)) query.where('event_type', eventType);
        if (!force)
          query.whereNotExists(
            db(`${stripeEventSummaries.table} as s`).whereRaw('s.event_id = stripe_events.event_id').select('s.uuid'),
          );
      })
      .orderBy('event_id')
      .limit(batch);
    for (const row of rows) {
      last = row.eventId;
      const event = eventOf(row.data);
      if (!event) continue;
      try {
        const { id, metadata } = subscriptionIdIn(event);
        const intent = id === null ? undefined : await intentOf(db, metadata, id);
        if (!intent) continue;
        const renewals = await store.renewalsOf(db, intent.uuid);
        if (!dryRun)
          await transaction(db, (trx) => store.putSummary(trx, summaryOf(row, event, intent, renewals, clock())));
        done.built += 1;
      } catch (err) {
        log.error({ err, event: row.eventId }, 'a summary could not be built');
        done.failed += 1;
      }
    }
    if (rows.length < batch) return done;
  }
}
