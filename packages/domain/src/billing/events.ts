import type { OutboxMessage } from '@enterprise-access/db';
import { ownEvent } from '../kernel/event.ts';
import type { StripeSubscription } from '../kernel/ports/stripe.ts';
import lifecycle from './checkout-intent-lifecycle.json' with { type: 'json' };
import type { State } from './states-contract.ts';
import canceled from './subscription-canceled.json' with { type: 'json' };
import type { IntentRow } from './tables.ts';

const TOPIC = 'enterprise-access-billing';
const LIFECYCLE = 'org.openedx.enterprise.access.checkout-intent.lifecycle.v1';
const CANCELED = 'org.openedx.enterprise.access.subscription.canceled.v1';

export const events = [ownEvent(LIFECYCLE, TOPIC, lifecycle), ownEvent(CANCELED, TOPIC, canceled)];

/** A checkout intent has begun or has changed its state. Ordered per intent; without terms and names of people. */
export const intentMoved = (previousState: State | null, row: IntentRow): OutboxMessage => ({
  kind: 'event',
  name: LIFECYCLE,
  key: row.uuid,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  payload: {
    uuid: row.uuid,
    id: row.id,
    previous_state: previousState,
    new_state: row.state,
    enterprise_slug: row.enterpriseSlug,
    enterprise_uuid: row.enterpriseCustomerUuid,
    ssp_product: row.sspProduct,
    quantity: row.quantity,
    stripe_customer_id: row.stripeCustomerId,
  },
});

/** A subscription has ended, with the reasons that the payer gave in the form's own words. */
export const subscriptionEnded = (
  intent: IntentRow,
  { id, cancellation }: Pick<StripeSubscription, 'id' | 'cancellation'>,
): OutboxMessage => ({
  kind: 'event',
  name: CANCELED,
  key: intent.uuid,
  enterpriseCustomerUuid: intent.enterpriseCustomerUuid,
  payload: {
    checkout_intent_uuid: intent.uuid,
    checkout_intent_id: intent.id,
    stripe_subscription_id: id,
    reason: cancellation?.reason ?? null,
    comment: cancellation?.comment ?? null,
    feedback: cancellation?.feedback ?? null,
  },
});
