import { createHash } from 'node:crypto';
import { type Database, insertIfAbsent } from '@enterprise-access/db';
import { foldEmail } from '../kernel/email.ts';
import { expiryOf } from '../kernel/expiry.ts';
import type { MailMessage, Recipient } from '../kernel/ports/mail.ts';
import { mailDeliveries } from './tables.ts';

const sha256 = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');
/** Addresses are compared ignoring ASCII case. */
const folded = ({ email }: Recipient): string => foldEmail(email.trim());

/** One mail to one recipient. */
export interface Delivery {
  readonly id: string;
  readonly enterpriseCustomerUuid: string | null;
  readonly kind: string;
  /** Hash of the address. */
  readonly recipient: string;
}

export const deliveryOf = (
  kind: string,
  { key, enterpriseCustomerUuid }: Pick<MailMessage, 'key' | 'enterpriseCustomerUuid'>,
  recipient: Recipient,
): Delivery => ({
  id: sha256(kind, key, folded(recipient)),
  enterpriseCustomerUuid,
  kind,
  recipient: sha256(folded(recipient)),
});

export interface DeliveryState {
  readonly isSent: boolean;
  readonly attempts: number;
  /** Start of an attempt whose result is unknown. */
  readonly attempted: Date | null;
}

/** Inserts the delivery unless it exists, and reads it. */
export async function openDelivery(db: Database, delivery: Delivery, now: Date): Promise<DeliveryState> {
  const row = mailDeliveries.encode({ ...delivery, state: 'open', created: now, modified: now });
  await insertIfAbsent(db, mailDeliveries.table, row);
  const stored = await mailDeliveries.find(db, delivery.id);
  if (!stored) throw new Error(`The delivery ${delivery.id} could not be stored.`);
  return { isSent: stored.state === 'sent', attempts: stored.attempts, attempted: stored.attempted };
}

/** Claims the next attempt; false if another process has claimed it since `seen`. */
export async function beginAttempt(
  db: Database,
  { id }: Delivery,
  seen: Pick<DeliveryState, 'attempts'>,
  now: Date,
): Promise<boolean> {
  const taken = await db(mailDeliveries.table)
    .where({ id, state: 'open', attempts: seen.attempts })
    .update({ attempts: seen.attempts + 1, attempted: now, modified: now });
  return taken === 1;
}

/** Records of mails that were sent long ago. */
export const mailExpiry = expiryOf(mailDeliveries, 'created');

const idsOf = (deliveries: readonly Delivery[]) => deliveries.map(({ id }) => id);

/** Withdraws an attempt that certainly sent nothing. */
export const withdrawAttempt = (db: Database, deliveries: readonly Delivery[], now: Date) =>
  db(mailDeliveries.table).whereIn('id', idsOf(deliveries)).update({ attempted: null, modified: now });

export const markSent = (db: Database, deliveries: readonly Delivery[], dispatchId: string | null, now: Date) =>
  db(mailDeliveries.table)
    .whereIn('id', idsOf(deliveries))
    .update(mailDeliveries.encode({ state: 'sent', attempted: null, dispatchId, modified: now }));

/** Whether another mail of the kind was, or may have been, sent to the recipient since a time. */
export async function hasOtherSince(db: Database, { id, kind, recipient }: Delivery, since: Date): Promise<boolean> {
  const other = await db(mailDeliveries.table)
    .where({ kind, recipient })
    .whereNot({ id })
    .where('modified', '>=', since)
    .first('id');
  return other !== undefined;
}
