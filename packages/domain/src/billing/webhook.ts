import { appendToOutbox, insertAbsent, type Transaction, transaction } from '@enterprise-access/db';
import { jobMessage } from '../kernel/jobs/job.ts';
import { eventOf, type StripeEvent } from '../kernel/ports/stripe.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { storageProblemOf } from '../kernel/storable.ts';
import { stripeEventSeen } from '../kernel/telemetry.ts';
import { groupCommit } from './group-commit.ts';
import { handleStripeEvent } from './job-contracts.ts';
import { subscriptionIdIn } from './summaries.ts';
import { type EventRow, stripeEvents } from './tables.ts';

/** The request does not come from Stripe, or cannot be read. The message is part of the wire format. */
export class WebhookRefused extends Error {
  override readonly name = 'WebhookRefused';
}

/** Kinds of events that mean something here. `payment_method.attached` is known and means nothing. */
export const handledKinds: ReadonlySet<string> = new Set([
  'invoice.created',
  'invoice.paid',
  'customer.subscription.created',
  'customer.subscription.deleted',
  'customer.subscription.trial_will_end',
  'customer.subscription.updated',
]);

type Deps = Pick<Runtime, 'db' | 'clock' | 'stripe' | 'settings'>;

export type Intake = 'stored' | 'repeated' | 'unknown';

function bodyOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new WebhookRefused('Invalid payload', { cause: error });
  }
}

/** The event of a request, or the reason why it is refused (corrections C.13). */
function authenticated({ stripe, settings, clock }: Deps, body: Buffer, signature: string | undefined): StripeEvent {
  if (!signature) throw new WebhookRefused('Missing Stripe signature header');
  const { stripeWebhookSecrets: secrets } = settings;
  if (secrets.length === 0) throw new WebhookRefused('Webhook endpoint secret not configured');
  if (body.length === 0) throw new WebhookRefused('Invalid payload');
  if (!stripe.isSigned(body, signature, secrets, clock())) throw new WebhookRefused('Invalid signature');
  const json = bodyOf(body);
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new WebhookRefused('Authentication failed');
  const event = eventOf(json);
  if (!event || storageProblemOf(json) !== null) throw new WebhookRefused('Invalid payload');
  return event;
}

function rowOf(event: StripeEvent, now: Date): EventRow {
  let subscriptionId: string | null;
  try {
    subscriptionId = subscriptionIdIn(event).id;
  } catch (error) {
    throw new WebhookRefused('Invalid payload', { cause: error });
  }
  return {
    eventId: event.id,
    eventType: event.type,
    enterpriseCustomerUuid: null,
    checkoutIntentUuid: null,
    stripeCreated: event.created,
    objectId: String(event.object.id ?? ''),
    subscriptionId,
    data: event.raw,
    outcome: null,
    handledAt: null,
    lastError: null,
    scrubbedAt: null,
    created: now,
  };
}

const PRINTABLE = /^[\x21-\x7e]{1,255}$/;
const isStorable = ({ eventId, objectId, subscriptionId }: EventRow): boolean =>
  [eventId, objectId, subscriptionId ?? 'none'].every((id) => PRINTABLE.test(id));

export const jobOf = ({ eventId, subscriptionId, enterpriseCustomerUuid }: EventRow) =>
  jobMessage(handleStripeEvent, { eventId, subscriptionId }, enterpriseCustomerUuid);

/** Stores events that are new, each with its job. */
async function store(trx: Transaction, rows: readonly EventRow[], now: Date): Promise<Intake[]> {
  const { table, encode } = stripeEvents;
  const ids = rows.map(({ eventId }) => eventId);
  const known = new Set<string>(await trx(table).whereIn('event_id', ids).pluck('event_id'));
  const fresh = new Map<string, EventRow>();
  // In the order of their keys: another process can be storing some of the same.
  for (const row of rows.toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1)))
    if (!known.has(row.eventId) && !fresh.has(row.eventId)) fresh.set(row.eventId, row);
  const added = [...fresh.values()];
  // One that another process stores at this moment gets a second job, which finds it handled.
  await insertAbsent(trx, table, added.map(encode));
  await appendToOutbox(trx, now, added.map(jobOf));
  return rows.map((row) => (fresh.get(row.eventId) === row ? 'stored' : 'repeated'));
}

/** One per runtime: deliveries that arrive while a transaction runs share the next one. */
const commits = new WeakMap<object, (row: EventRow) => Promise<Intake>>();

function commitOf({ db, clock }: Pick<Deps, 'db' | 'clock'>): (row: EventRow) => Promise<Intake> {
  const known = commits.get(db);
  if (known) return known;
  const made = groupCommit<EventRow, Intake>((rows) => transaction(db, (trx) => store(trx, rows, clock())));
  commits.set(db, made);
  return made;
}

/** Stores an event unless it is there; its handling is a job. Kinds that are not handled are only counted. */
export async function takeIn(deps: Pick<Deps, 'db' | 'clock'>, event: StripeEvent): Promise<Intake> {
  const seen = (outcome: Intake): Intake => {
    stripeEventSeen.publish({ type: event.type, outcome });
    return outcome;
  };
  if (!handledKinds.has(event.type)) return seen('unknown');
  const row = rowOf(event, deps.clock());
  if (!isStorable(row)) throw new WebhookRefused('Invalid payload');
  return seen(await commitOf(deps)(row));
}

/** A delivery of Stripe's webhook: checked on its bytes, stored, acknowledged (R-BILL-40). */
export const receiveStripeEvent = (deps: Deps, body: Buffer, signature: string | undefined): Promise<Intake> =>
  takeIn(deps, authenticated(deps, body, signature));
