import { currentOrigin, type Transaction } from '@enterprise-access/db';
import { foldEmail } from '../kernel/email.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import type { Subsidy } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { allocateBudget, assignmentConfigurations as configurations, type PolicyRow } from '../policies/index.ts';
import { AllocationRefused } from './allocate.ts';
import { type Planned, planAllocation } from './plan.ts';
import { cancelable } from './rules.ts';
import type { AssignmentRow } from './store.ts';
import * as store from './store.ts';
import { transition } from './transitions.ts';

/** One learner and course to allocate because of a request. */
export interface Seat {
  readonly requestUuid: string;
  readonly email: string;
  readonly lmsUserId: number | null;
  readonly priceCents: number;
  /** As requested: a course. */
  readonly contentKey: string;
  readonly content: Pick<Content, 'contentKey' | 'courseRunKey' | 'title'>;
}

/** Where the seats are allocated, and by whom. */
export interface SeatOrder {
  readonly policy: PolicyRow & { readonly assignmentConfigurationUuid: string };
  readonly subsidy: Subsidy;
  readonly batchUuid: string;
  readonly admin: { readonly userId: number | null; readonly lmsUserId: number | null };
}

type Deps = Pick<Runtime, 'ledger' | 'clock'>;

/**
 * Allocates courses to learners who requested them, in the caller's transaction and with a constant number of
 * statements, without mails of its own (R-REQ-47). `alongside` stores the requests with their assignments before the
 * contended rows of the budget are locked; null is a learner who holds the course already. Throws `AllocationRefused`
 * if the budget does not cover all of them.
 */
export async function allocateRequested(
  trx: Transaction,
  deps: Deps,
  order: SeatOrder,
  seats: readonly Seat[],
  alongside: (assignments: ReadonlyMap<string, string | null>) => Promise<void>,
): Promise<void> {
  const at = deps.clock();
  const { policy, admin, batchUuid } = order;
  const configurationUuid = policy.assignmentConfigurationUuid;
  await configurations.lockForAllocation(trx, configurationUuid);
  const existing = await store.forLearners(trx, {
    configurationUuid,
    contentKeys: [...new Set(seats.map(({ contentKey }) => contentKey))],
    emailKeys: [...new Set(seats.map(({ email }) => foldEmail(email)))],
    lmsUserIds: [...new Set(seats.flatMap(({ lmsUserId }) => lmsUserId ?? []))],
  });
  const byContent = Map.groupBy(existing, ({ contentKey }) => contentKey);
  const correlationId = currentOrigin()?.correlationId ?? null;
  const made: { readonly requestUuid: string; readonly planned: Planned }[] = [];
  for (const alike of Map.groupBy(seats, (seat) => JSON.stringify([seat.contentKey, seat.priceCents])).values()) {
    const [first] = alike;
    if (!first) continue;
    const { contentKey, priceCents, content } = first;
    const terms = {
      configurationUuid,
      enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
      contentKey,
      priceCents,
      batchUuid,
      adminLmsUserId: admin.lmsUserId,
      content,
      at,
      correlationId,
    };
    const accounts = new Map(alike.flatMap((seat) => accountOf(seat)));
    const planned = planAllocation(
      terms,
      alike.map(({ email }) => email),
      { accounts, existing: byContent.get(contentKey) ?? [] },
    );
    alike.forEach(({ requestUuid }, place) => {
      const one = planned[place];
      if (one) made.push({ requestUuid, planned: one });
    });
  }
  const charged = made.filter(({ planned }) => isNew(planned));
  const changes = charged.flatMap(({ planned: { change } }) => (change ? [change] : []));
  await store.writeRows(trx, changes);
  await store.insertActions(
    trx,
    changes.map(({ before, after }) => ({
      row: after,
      actionType: before === null ? ('allocated' as const) : ('reallocated' as const),
      metadata: {
        allocation_batch_id: batchUuid,
        state_before: before?.state ?? null,
        state_after: 'allocated',
        policy_uuid: policy.uuid,
      },
    })),
    { ...admin, type: 'admin', source: 'api', at },
  );
  await alongside(
    new Map(made.map(({ requestUuid, planned }) => [requestUuid, isNew(planned) ? (planned.row?.uuid ?? null) : null])),
  );
  const cents = changes.reduce((sum, { after }) => sum + after.priceCents, 0);
  if (cents > 0) {
    if (await deps.ledger.reserve(trx, order.subsidy, cents))
      throw new AllocationRefused('not_enough_value_in_subsidy');
    const refused = await allocateBudget(trx, policy, cents);
    if (refused) throw new AllocationRefused(refused);
  }
  await store.writeCounts(trx, store.countsOf(changes));
}

const accountOf = ({ email, lmsUserId }: Seat): [string, number][] =>
  lmsUserId === null ? [] : [[foldEmail(email), lmsUserId]];

const isNew = ({ outcome }: Planned): boolean => outcome === 'created' || outcome === 'reallocated';

/**
 * Cancels assignments of one configuration because their requests are cancelled (R-REQ-52): the requests follow. Returns
 * the assignments that were cancelled before, and those that cannot be cancelled.
 */
export async function cancelRequested(
  trx: Transaction,
  deps: Pick<Runtime, 'ledger' | 'followAssignments'>,
  configuration: configurations.ConfigurationRow,
  uuids: readonly string[],
  admin: { readonly userId: number | null; readonly lmsUserId: number | null; readonly at: Date },
): Promise<{
  readonly cancelled: readonly string[];
  readonly were: readonly string[];
  readonly held: readonly string[];
}> {
  const { at } = admin;
  const rows = await store.findForUpdate(trx, configuration.uuid, uuids);
  const canCancel = (row: AssignmentRow) => cancelable.includes(row.state) && row.redemptionUuid === null;
  const open = rows.filter(canCancel);
  const transitions = open.map((before: AssignmentRow) => ({
    before,
    changes: { state: 'cancelled' as const, cancelledAt: at },
  }));
  await transition(trx, deps, configuration, transitions, { ...admin, type: 'admin', source: 'api' });
  const were = rows.filter(({ state }: AssignmentRow) => state === 'cancelled').map(({ uuid }: AssignmentRow) => uuid);
  const cancelled = open.map(({ uuid }: AssignmentRow) => uuid);
  const done = new Set([...were, ...cancelled]);
  return { cancelled, were, held: uuids.filter((uuid) => !done.has(uuid)) };
}
