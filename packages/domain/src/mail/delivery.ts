import type { Campaign } from '../kernel/ports/mail.ts';
import {
  type Mail,
  MailInDoubt,
  type MailKind,
  type MailMessage,
  MailOff,
  MailRefused,
  type Recipient,
} from '../kernel/ports/mail.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { type Braze, RECIPIENTS_PER_CALL } from '../upstreams/braze.ts';
import {
  beginAttempt,
  type Delivery,
  type DeliveryState,
  deliveryOf,
  hasOtherSince,
  markSent,
  openDelivery,
  withdrawAttempt,
} from './store.ts';

/**
 * How long to wait after an attempt without a result: it may still be running, and the service needs time to report.
 */
const IN_DOUBT_MS = 60_000;
/** Tolerated difference between our clock and the service's. */
const SKEW_MS = 5_000;

interface Addressed {
  readonly recipient: Recipient;
  readonly delivery: Delivery;
}

export type CampaignIds = Readonly<Partial<Record<Campaign, string | undefined>>>;

type Deps = Pick<Runtime, 'db' | 'clock'> & {
  /** Null without a mail service. */
  readonly braze: Braze | null;
  readonly campaignIds: CampaignIds;
};

/** Removes duplicate recipients. */
function addressed({ name }: MailKind, mail: MailMessage): Addressed[] {
  const all = mail.recipients.map((recipient) => ({ recipient, delivery: deliveryOf(name, mail, recipient) }));
  return [...new Map(all.map((one) => [one.delivery.id, one])).values()];
}

const deliveriesOf = (all: readonly Addressed[]): Delivery[] => all.map(({ delivery }) => delivery);

/**
 * Implements the mail port with one record per recipient and mail. The service has no idempotency keys, so a call
 * without an answer cannot simply be repeated: before the next attempt, a minute later, we query whether the
 * recipient has received the mail.
 */
export function mailDelivery({ db, clock, braze, campaignIds }: Deps): Mail {
  /**
   * Whether an attempt without a result has reached the recipient. Returns false if in doubt: two mails are better
   * than none.
   */
  async function hasArrived(service: Braze, campaignId: string, { recipient, delivery }: Addressed, since: Date) {
    const from = new Date(since.getTime() - SKEW_MS);
    // The service reports only the last mail of a campaign, which could be the other one.
    if (await hasOtherSince(db, delivery, from)) return false;
    const last = await service.lastReceived(campaignId, recipient);
    return last !== null && last >= from;
  }

  /** Claims the attempt, or returns why it cannot. */
  async function take(service: Braze, campaignId: string, one: Addressed): Promise<'taken' | 'sent' | 'doubt'> {
    const seen: DeliveryState = await openDelivery(db, one.delivery, clock());
    if (seen.isSent) return 'sent';
    if (seen.attempted !== null) {
      if (clock().getTime() - seen.attempted.getTime() < IN_DOUBT_MS) return 'doubt';
      if (await hasArrived(service, campaignId, one, seen.attempted)) {
        await markSent(db, [one.delivery], null, clock());
        return 'sent';
      }
    }
    return (await beginAttempt(db, one.delivery, seen, clock())) ? 'taken' : 'doubt';
  }

  /** Sends to all recipients. If the service refuses, sends to each separately and returns the refused ones. */
  async function sendTo(
    service: Braze,
    campaignId: string,
    properties: Readonly<Record<string, unknown>>,
    all: readonly Addressed[],
  ): Promise<readonly Recipient[]> {
    const recipients = all.map(({ recipient }) => recipient);
    let isTriggered = false;
    try {
      await service.introduce(recipients);
      isTriggered = true;
      const dispatchId = await service.trigger(campaignId, properties, recipients);
      await markSent(db, deliveriesOf(all), dispatchId, clock());
      return [];
    } catch (error) {
      const isRefused = error instanceof UpstreamRefusal;
      const isUndone = isRefused || !isTriggered || (error instanceof UpstreamFailure && error.isUndone);
      if (isRefused && all.length > 1) {
        const refused: Recipient[] = [];
        for (const one of all) refused.push(...(await sendTo(service, campaignId, properties, [one])));
        return refused;
      }
      if (isUndone) await withdrawAttempt(db, deliveriesOf(all), clock());
      if (isRefused) return recipients;
      throw error;
    }
  }

  const idOf = ({ campaign }: Pick<MailKind, 'campaign'>): string | undefined => campaignIds[campaign] || undefined;

  return {
    canSend: (kind) => braze !== null && idOf(kind) !== undefined,

    async send(kind: MailKind, mail: MailMessage) {
      const campaignId = idOf(kind);
      if (braze === null || campaignId === undefined) throw new MailOff(kind);
      const properties = kind.properties.parse(mail.properties);
      for (const recipient of mail.recipients) kind.ofRecipient?.parse(recipient.properties);
      const receipt = { sent: 0, repeated: 0, refused: [] as Recipient[] };
      const taken: Addressed[] = [];
      let inDoubt = 0;
      for (const one of addressed(kind, mail)) {
        const state = await take(braze, campaignId, one);
        if (state === 'taken') taken.push(one);
        else if (state === 'sent') receipt.repeated += 1;
        else inDoubt += 1;
      }
      for (let start = 0; start < taken.length; start += RECIPIENTS_PER_CALL) {
        const some = taken.slice(start, start + RECIPIENTS_PER_CALL);
        try {
          const refused = await sendTo(braze, campaignId, properties, some);
          receipt.refused.push(...refused);
          receipt.sent += some.length - refused.length;
        } catch (error) {
          await withdrawAttempt(db, deliveriesOf(taken.slice(start + some.length)), clock());
          throw error;
        }
      }
      if (inDoubt > 0) throw new MailInDoubt('the result of an earlier attempt is unknown');
      if (receipt.refused.length > 0 && receipt.sent + receipt.repeated === 0)
        throw new MailRefused('the mail service rejected all recipients');
      return receipt;
    },
  };
}
