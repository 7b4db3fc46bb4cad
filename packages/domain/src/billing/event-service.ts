import { z } from 'zod';
import type { Input, Output } from '../kernel/contract.ts';
import { keyOf, keysetPage } from '../kernel/keyset.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type * as contract from './event-contract.ts';
import { replay } from './sweeps.ts';
import { type EventRow, stripeEvents } from './tables.ts';

const key = z.tuple([z.iso.datetime(), z.string().regex(/^[\x21-\x7e]{1,255}$/)]);

const viewOf = (row: EventRow): Output<typeof contract.listStripeEvents>['items'][number] => ({
  eventId: row.eventId,
  eventType: row.eventType,
  stripeCreated: row.stripeCreated,
  received: row.created,
  handledAt: row.handledAt,
  outcome: row.outcome,
  lastError: row.lastError,
  checkoutIntentUuid: row.checkoutIntentUuid,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
});

export async function listEvents(
  { db }: Pick<Runtime, 'db'>,
  { enterpriseCustomerUuid, isHandled, cursor, pageSize }: Input<typeof contract.listStripeEvents>,
): Promise<Output<typeof contract.listStripeEvents>> {
  const after = keyOf(key, cursor);
  const rows: EventRow[] = await stripeEvents
    .query(db)
    .modify((query) => {
      if (enterpriseCustomerUuid !== undefined) query.where({ enterprise_customer_uuid: enterpriseCustomerUuid });
      if (isHandled === true) query.whereNotNull('handled_at');
      if (isHandled === false) query.whereNull('handled_at');
      if (after)
        query.where((or) =>
          or
            .where('created', '<', new Date(after[0]))
            .orWhere((same) => same.where('created', new Date(after[0])).where('event_id', '<', after[1])),
        );
    })
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'event_id', order: 'desc' },
    ])
    .limit(pageSize + 1);
  const page = keysetPage(rows, pageSize, (row) => [row.created.toISOString(), row.eventId]);
  return { ...page, items: page.items.map(viewOf) };
}

/** With a customer only its events: an operator of one customer moves nothing of another. */
export async function replayEvents(
  deps: Pick<Runtime, 'db' | 'clock'>,
  { eventIds, enterpriseCustomerUuid }: Input<typeof contract.replayStripeEvents>,
): Promise<Output<typeof contract.replayStripeEvents>> {
  const ids: string[] =
    enterpriseCustomerUuid === undefined
      ? eventIds
      : await deps
          .db(stripeEvents.table)
          .whereIn('event_id', eventIds)
          .where({ enterprise_customer_uuid: enterpriseCustomerUuid })
          .pluck('event_id');
  return { replayed: await replay(deps, ids) };
}
