import { randomInt } from 'node:crypto';
import { type Connection, insertIfAbsent, type Transaction } from '@enterprise-access/db';
import type { State } from './states-contract.ts';
import {
  checkoutIntents,
  checkoutReservations,
  type EventRow,
  type IntentRow,
  type InvoiceRow,
  type RenewalRow,
  type SubscriptionRow,
  type SummaryRow,
  stripeEventSummaries,
  stripeEvents,
  stripeInvoices,
  stripeSubscriptions,
  subscriptionRenewals,
} from './tables.ts';

const FIRST_NUMBER = 100_000_000;
const LAST_NUMBER = 2_147_483_647;

/** A number that nobody can guess, for callers who cannot use uuids. */
export const newNumber = (): number => randomInt(FIRST_NUMBER, LAST_NUMBER);

export type IntentKey = { readonly uuid: string } | { readonly id: number };

const byKey = (key: IntentKey) => ('uuid' in key ? { 'checkout_intents.uuid': key.uuid } : { id: key.id });

export const findIntent = async (db: Connection, key: IntentKey): Promise<IntentRow | undefined> =>
  checkoutIntents.query(db).where(byKey(key)).first();

/** The row, locked until the transaction ends. */
export const lockIntent = async (trx: Transaction, uuid: string): Promise<IntentRow | undefined> =>
  checkoutIntents.query(trx).findById(uuid).forUpdate();

/** Intents of a buyer for a product, newest first, locked. */
export const lockIntentsOf = async (trx: Transaction, userId: number, sspProduct: string): Promise<IntentRow[]> =>
  checkoutIntents
    .query(trx)
    .where({ user_id: userId, ssp_product: sspProduct })
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ])
    .forUpdate();

/** Intents of a buyer, newest first. */
export const intentsOf = async (db: Connection, userId: number): Promise<IntentRow[]> =>
  checkoutIntents
    .query(db)
    .where({ user_id: userId })
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ])
    .limit(100);

/** Intents whose reservation of a slug or a name is over and was not swept, locked in the order of their keys. */
export async function lockLapsedHolders(
  trx: Transaction,
  held: { readonly slug: string | null; readonly name: string | null },
  now: Date,
): Promise<IntentRow[]> {
  const lapsed = (column: string, value: string | null): Promise<string[]> =>
    value === null
      ? Promise.resolve([])
      : trx(checkoutIntents.table)
          .where({ [column]: value, state: 'created' })
          .where('expires_at', '<=', now)
          .pluck('uuid');
  const uuids = [...(await lapsed('enterprise_slug', held.slug)), ...(await lapsed('enterprise_name', held.name))];
  if (uuids.length === 0) return [];
  return checkoutIntents.query(trx).whereIn('uuid', uuids).orderBy('uuid').forUpdate();
}

/** Whether another buyer holds the slug or the name, expired reservations left out. */
export async function isHeldByOther(
  db: Connection,
  held: { readonly slug: string } | { readonly name: string },
  userId: number | null,
  now: Date,
): Promise<boolean> {
  const [column, value] = 'slug' in held ? ['enterprise_slug', held.slug] : ['enterprise_name', held.name];
  const found = await db(checkoutIntents.table)
    .where({ [column]: value })
    .whereNot({ state: 'expired' })
    .where((or) => or.whereNot({ state: 'created' }).orWhere('expires_at', '>', now))
    .modify((query) => (userId === null ? query : query.whereNot({ user_id: userId })))
    .first('uuid');
  return found !== undefined;
}

export interface IntentFilter {
  readonly userId?: number | undefined;
  readonly state?: State | undefined;
  readonly enterpriseSlug?: string | undefined;
  readonly enterpriseCustomerUuid?: string | undefined;
}

/** One page, newest first, and the number of all. */
export async function intentPage(db: Connection, filter: IntentFilter, slice: { offset: number; limit: number }) {
  const base = checkoutIntents.query(db).modify((query) => {
    if (filter.userId !== undefined) query.where('user_id', filter.userId);
    if (filter.state !== undefined) query.where('state', filter.state);
    if (filter.enterpriseSlug !== undefined) query.where('enterprise_slug', filter.enterpriseSlug);
    if (filter.enterpriseCustomerUuid !== undefined)
      query.where('enterprise_customer_uuid', filter.enterpriseCustomerUuid);
  });
  const count = await base.clone().resultSize();
  const rows: IntentRow[] = await base
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ])
    .offset(slice.offset)
    .limit(slice.limit);
  return { rows, count };
}

/** Uuids of intents in a state since before a time, oldest first. */
export const intentsSince = (
  db: Connection,
  { state, column, before, limit }: { state: State; column: 'expires_at' | 'modified'; before: Date; limit: number },
): Promise<string[]> =>
  db(checkoutIntents.table)
    .where({ state })
    .where(column, '<=', before)
    .orderBy([column, 'uuid'])
    .limit(limit)
    .pluck('uuid');

export const countSince = async (
  db: Connection,
  { state, column, before }: { state: State; column: 'expires_at' | 'modified'; before: Date },
): Promise<number> =>
  Number(
    (await db(checkoutIntents.table).where({ state }).where(column, '<=', before).count({ n: '*' }).first())?.n ?? 0,
  );

/** The newest intent of a customer that has a customer at Stripe. */
export const payingIntentOf = async (db: Connection, enterpriseCustomerUuid: string): Promise<IntentRow | undefined> =>
  checkoutIntents
    .query(db)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid })
    .whereNotNull('stripe_customer_id')
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ])
    .first();

export const firstIntentOf = async (db: Connection, enterpriseCustomerUuid: string): Promise<IntentRow | undefined> =>
  checkoutIntents
    .query(db)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid })
    .orderBy(['created', 'uuid'])
    .first();

/** Another buyer holds the slug or the name. */
export class ReservationTaken extends Error {
  override readonly name = 'ReservationTaken';
}

interface Held {
  readonly kind: 'slug' | 'name';
  readonly value: string;
}

const CLAIMS = 3;

/** Takes a slug or a name for a buyer, or finds that the buyer has it. */
export async function claimReservation(trx: Transaction, held: Held, row: IntentRow, now: Date): Promise<void> {
  const { userId, enterpriseCustomerUuid } = row;
  for (let attempt = 0; attempt < CLAIMS; attempt += 1) {
    const claim = { ...held, userId, enterpriseCustomerUuid, created: now, modified: now };
    if (await insertIfAbsent(trx, checkoutReservations.table, checkoutReservations.encode(claim))) return;
    // A write and not only a read, so that a release at the same time waits.
    const own = await trx(checkoutReservations.table)
      .where({ ...held, user_id: userId })
      .update(checkoutReservations.encode({ modified: now }));
    if (own === 1) return;
    if (
      await trx(checkoutReservations.table)
        .where({ ...held })
        .first('kind')
    )
      throw new ReservationTaken();
  }
  throw new ReservationTaken();
}

const COLUMNS = { slug: 'enterprise_slug', name: 'enterprise_name' } as const;

/** Frees a slug or a name unless another intent of the buyer that is not expired has it. */
export async function releaseReservation(trx: Transaction, held: Held, row: IntentRow, now: Date): Promise<void> {
  const mine = { ...held, user_id: row.userId };
  const locked = await trx(checkoutReservations.table)
    .where(mine)
    .update(checkoutReservations.encode({ modified: now }));
  if (locked === 0) return;
  const other = await trx(checkoutIntents.table)
    .where({ user_id: row.userId, [COLUMNS[held.kind]]: held.value })
    .whereNot({ state: 'expired' })
    .whereNot({ uuid: row.uuid })
    .first('uuid');
  if (!other) await trx(checkoutReservations.table).where(mine).delete();
}

/** Writes the customer to everything that the intent has brought about. */
export async function setCustomerOf(trx: Transaction, intent: IntentRow): Promise<void> {
  const { uuid, enterpriseCustomerUuid } = intent;
  const value = { enterprise_customer_uuid: enterpriseCustomerUuid };
  for (const { table } of [stripeEvents, stripeEventSummaries])
    await trx(table).where({ checkout_intent_uuid: uuid }).whereNull('enterprise_customer_uuid').update(value);
  for (const model of [stripeSubscriptions, subscriptionRenewals, stripeInvoices] as const) {
    const rows: { uuid: string }[] = await trx(model.table)
      .where({ checkout_intent_uuid: uuid })
      .whereNull('enterprise_customer_uuid')
      .orderBy('uuid')
      .select('uuid');
    for (const each of rows) {
      const before = await model.find(trx, each.uuid);
      if (before) await model.change(trx, before as never, { ...before, enterpriseCustomerUuid } as never);
    }
  }
}

export const findEvent = async (db: Connection, eventId: string): Promise<EventRow | undefined> =>
  stripeEvents.query(db).findById(eventId);

export const changeEvent = (trx: Connection, eventId: string, change: Partial<EventRow>): Promise<number> =>
  trx(stripeEvents.table).where({ event_id: eventId }).update(stripeEvents.encode(change));

export const findSubscription = async (db: Connection, id: string): Promise<SubscriptionRow | undefined> =>
  stripeSubscriptions.query(db).where({ stripe_subscription_id: id }).first();

export const lockSubscription = async (trx: Transaction, id: string): Promise<SubscriptionRow | undefined> =>
  stripeSubscriptions.query(trx).where({ stripe_subscription_id: id }).forUpdate().first();

/** The subscription of an intent that Stripe told of last. */
export const subscriptionOfIntent = async (db: Connection, intentUuid: string): Promise<SubscriptionRow | undefined> =>
  stripeSubscriptions.query(db).where({ checkout_intent_uuid: intentUuid }).orderBy('as_of', 'desc').first();

/** Invoices are written under the lock of their intent. */
export const findInvoice = async (db: Connection, id: string): Promise<InvoiceRow | undefined> =>
  stripeInvoices.query(db).where({ stripe_invoice_id: id }).first();

/** Paid invoices of periods that no renewal belongs to, oldest first. */
export const unrenewedInvoices = async (db: Connection, intentUuid: string): Promise<InvoiceRow[]> =>
  stripeInvoices
    .query(db)
    .where({ checkout_intent_uuid: intentUuid })
    .whereIn('kind', ['first_period', 'later_period'])
    .whereNull('renewal_uuid')
    .orderBy(['period_start', 'uuid']);

/** Renewals of an intent, newest effective date first. */
export const renewalsOf = async (db: Connection, intentUuid: string): Promise<RenewalRow[]> =>
  subscriptionRenewals
    .query(db)
    .where({ checkout_intent_uuid: intentUuid })
    .orderBy([
      { column: 'effective_date', order: 'desc' },
      { column: 'created', order: 'desc' },
    ]);

export const findRenewal = async (db: Connection, uuid: string): Promise<RenewalRow | undefined> =>
  subscriptionRenewals.find(db, uuid);

export const lockRenewal = async (trx: Transaction, uuid: string): Promise<RenewalRow | undefined> =>
  subscriptionRenewals.query(trx).findById(uuid).forUpdate();

/** The oldest renewal from or to a plan. */
export const renewalOfPlan = async (db: Connection, planUuid: string): Promise<RenewalRow | undefined> =>
  subscriptionRenewals
    .query(db)
    .where({ prior_subscription_plan_uuid: planUuid })
    .orWhere({ renewed_subscription_plan_uuid: planUuid })
    .orderBy(['created', 'uuid'])
    .first();

/** Stores a summary, or overwrites the one of its event. */
export async function putSummary(trx: Transaction, row: SummaryRow): Promise<void> {
  const inserted = await insertIfAbsent(trx, stripeEventSummaries.table, stripeEventSummaries.encode(row));
  if (inserted) return;
  const { uuid: _uuid, id: _id, created: _created, upcomingInvoiceAmountDue: _amount, ...values } = row;
  await trx(stripeEventSummaries.table).where({ event_id: row.eventId }).update(stripeEventSummaries.encode(values));
}

/** Summaries of a plan, of its intent where the intent is known, newest first. */
export const summariesOfIntent = async (db: Connection, intentUuid: string, types: readonly string[]) =>
  (await stripeEventSummaries
    .query(db)
    .where({ checkout_intent_uuid: intentUuid })
    .whereIn('event_type', [...types])
    .orderBy([
      { column: 'stripe_event_created_at', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ])
    .limit(200)) as SummaryRow[];

/** Gives the plan to the summaries of an intent that have none. */
export const setPlanOfSummaries = (
  trx: Transaction,
  intentUuid: string,
  planUuid: string,
  now: Date,
): Promise<number> =>
  trx(stripeEventSummaries.table)
    .where({ checkout_intent_uuid: intentUuid })
    .whereNull('subscription_plan_uuid')
    .update(stripeEventSummaries.encode({ subscriptionPlanUuid: planUuid, modified: now }));

export async function summaryPage(db: Connection, planUuid: string, slice: { offset: number; limit: number }) {
  const base = stripeEventSummaries.query(db).where({ subscription_plan_uuid: planUuid });
  const count = await base.clone().resultSize();
  const rows: SummaryRow[] = await base
    .orderBy(['stripe_event_created_at', 'uuid'])
    .offset(slice.offset)
    .limit(slice.limit);
  return { rows, count };
}

/** The customer of a plan: of the intent of its summaries, or of its renewal. */
export async function ownerOfPlan(db: Connection, planUuid: string): Promise<string | null> {
  const summary: { owner: string | null } | undefined = await db(stripeEventSummaries.table)
    .where({ subscription_plan_uuid: planUuid })
    .whereNotNull('enterprise_customer_uuid')
    .first({ owner: 'enterprise_customer_uuid' });
  return summary?.owner ?? (await renewalOfPlan(db, planUuid))?.enterpriseCustomerUuid ?? null;
}

/** Numbers of intents by uuid, for wires that name them by number. */
export async function numbersOf(db: Connection, uuids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows: { uuid: string; id: number }[] = await db(checkoutIntents.table)
    .whereIn('uuid', [...new Set(uuids)])
    .select('uuid', 'id');
  return new Map(rows.map(({ uuid, id }) => [uuid, id]));
}
