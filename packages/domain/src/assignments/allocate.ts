import {
  appendToOutbox,
  currentOrigin,
  isUniqueViolation,
  type OutboxMessage,
  type Transaction,
  transaction,
} from '@enterprise-access/db';
import { type Decision, keepDecisions, keepDecisionWithin } from '../decisions/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { foldEmail } from '../kernel/email.ts';
import { newUuid } from '../kernel/ids.ts';
import { jobMessage } from '../kernel/jobs/job.ts';
import { isSubsidyActive } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { policyLocked } from '../policies/contract.ts';
import {
  allocateBudget,
  assignmentConfigurations as configurations,
  contactsOf,
  find as findPolicy,
  type PolicyRow,
  policyNotFound,
  refusalReason,
} from '../policies/index.ts';
import { accountsOf } from '../users/index.ts';
import * as contract from './allocation-contract.ts';
import { allocationDecision, supportOf, unsupportedDecision } from './decide.ts';
import { link, notify } from './job-contracts.ts';
import { type Order, orderFacts, orderFor } from './order.ts';
import { type Outcome, type Planned, planAllocation, type Terms, uniqueEmails } from './plan.ts';
import { type AllocationFacts, allocates, allocationRefusal, type Refusal } from './price.ts';
import * as store from './store.ts';
import { viewsOf } from './view.ts';

export type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

/** Thrown in a transaction to roll the allocation back, with the reason. */
export class AllocationRefused extends Error {
  readonly reason: string;
  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

export interface Allocated {
  readonly planned: readonly Planned[];
  /** US cents that the allocation reserves. */
  readonly chargedCents: number;
}

/**
 * Allocates to many learners in the caller’s transaction, with a constant number of statements. The cost is reserved
 * in ledger and policy by conditional updates, which come last because those rows are contended.
 */
export async function allocateWithin(
  trx: Transaction,
  deps: Pick<Deps, 'ledger' | 'clock'>,
  order: Order,
  emails: readonly string[],
  affordable?: number,
): Promise<Allocated> {
  const at = deps.clock();
  const { policy, by } = order;
  const terms: Terms = { ...order.terms, at, correlationId: currentOrigin()?.correlationId ?? null };
  const emailKeys = emails.map(foldEmail);
  await configurations.lockForAllocation(trx, terms.configurationUuid);
  const accounts = order.account
    ? new Map([[order.account.emailKey, order.account.lmsUserId]])
    : await accountsOf(trx, emailKeys);
  const existing = await store.forLearners(trx, {
    configurationUuid: terms.configurationUuid,
    contentKey: terms.contentKey,
    emailKeys,
    lmsUserIds: [...accounts.values()],
  });
  const planned = planAllocation(terms, emails, { accounts, existing }, affordable);
  const changes = planned.flatMap(({ change }) => (change ? [change] : []));
  const charged = planned.filter(({ outcome }) => outcome === 'created' || outcome === 'reallocated');
  const chargedCents = charged.length * terms.priceCents;
  await store.writeRows(trx, changes);
  await store.insertActions(trx, charged.flatMap(actionOf(order)), { ...by, at });
  await appendToOutbox(trx, at, messagesOf(order, planned, at));
  if (chargedCents > 0) {
    if (await deps.ledger.reserve(trx, order.subsidy, chargedCents))
      throw new AllocationRefused('not_enough_value_in_subsidy');
    const refused = await allocateBudget(trx, policy, chargedCents);
    if (refused) throw new AllocationRefused(refused);
  }
  await store.writeCounts(trx, store.countsOf(changes));
  return { planned, chargedCents };
}

/** R-ASG-18: mails for new allocations only; learners whose row did not change are not mailed again. */
const messagesOf = ({ suppressEmail }: Order, planned: readonly Planned[], at: Date): OutboxMessage[] =>
  planned.flatMap(({ outcome, row, change }) => {
    if (!row || !change) return [];
    const { uuid: assignmentUuid, enterpriseCustomerUuid } = row;
    const linking = jobMessage(link, { assignmentUuid }, enterpriseCustomerUuid);
    if (suppressEmail || outcome === 'touched') return [linking];
    const occasion = at.toISOString();
    return [linking, jobMessage(notify, { assignmentUuid, occasion }, enterpriseCustomerUuid)];
  });

/** R-ADD-10, R-ADD-11, with the state before. */
const actionOf =
  ({ terms, policy }: Order) =>
  ({ outcome, row, change }: Planned): store.NewAction[] =>
    row === null
      ? []
      : [
          {
            row,
            actionType: outcome === 'created' ? 'allocated' : 'reallocated',
            metadata: {
              correlation_id: terms.batchUuid,
              allocation_batch_id: terms.batchUuid,
              state_before: change?.before?.state ?? null,
              state_after: 'allocated',
              policy_uuid: policy.uuid,
            },
          },
        ];

const ROUNDS = 3;

/**
 * Runs an allocation, and retries it from the start if a concurrent login has linked a row to its account. Refuses
 * after a few rounds.
 */
export async function retryingCollisions<T>(policyUuid: string, work: () => Promise<T>): Promise<T> {
  let collision: unknown;
  for (let round = 1; round <= ROUNDS; round += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      collision = error;
    }
  }
  throw policyLocked({ policyUuid }, { cause: collision });
}

export async function allocate(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.allocate>,
): Promise<Output<typeof contract.allocate>> {
  const emails = uniqueEmails(input.learnerEmails);
  const learnerCount = emails.length;
  const order = await judgedOrder(deps, actor, { ...input, learnerCount, batchUuid: newUuid(), source: 'api' });
  const { policy, facts } = order;
  const about = { policy, contentKey: input.contentKey, facts, learnerCount };
  const decision = allocationDecision(deps, about);
  let allocated: Allocated;
  try {
    allocated = await retryingCollisions(policy.uuid, () =>
      transaction(deps.db, (trx) => {
        keepDecisionWithin(trx, decision);
        return allocateWithin(trx, deps, order, emails);
      }),
    );
  } catch (error) {
    if (!(error instanceof AllocationRefused)) throw error;
    const limited = allocationDecision(deps, about, error.reason);
    throw await refused(deps, actor, policy, { kind: 'reason', reason: error.reason }, limited);
  }
  return replyTo(deps, order, allocated.planned);
}

async function replyTo(deps: Deps, order: Order, planned: readonly Planned[]) {
  const rows = [...new Map(planned.flatMap(({ row }) => (row ? [[row.uuid, row] as const] : []))).values()];
  const configuration = await configurations.find(deps.db, order.terms.configurationUuid);
  if (!configuration) throw policyNotFound();
  const views = new Map((await viewsOf(deps, configuration, rows)).map((view) => [view.uuid, view]));
  const group = (...outcomes: Outcome[]) => {
    const uuids = planned.flatMap(({ outcome, row }) => (row && outcomes.includes(outcome) ? [row.uuid] : []));
    return uuids.flatMap((uuid) => {
      const view = views.get(uuid);
      // A learner who was named twice appears once.
      views.delete(uuid);
      return view ? [view] : [];
    });
  };
  return { created: group('created'), updated: group('reallocated', 'touched'), noChange: group('no_change') };
}

/** Input of an allocation. */
export interface AllocationRequest {
  readonly policyUuid: string;
  readonly contentKey: string;
  readonly contentPriceCents: number;
  readonly adminLmsUserId?: number | null | undefined;
  readonly suppressEmail: boolean;
  readonly batchUuid: string;
  readonly source: store.ActionActor['source'];
  /** Where it is known by now. */
  readonly learnerCount?: number;
}

/** Collects the facts and runs all checks that do not depend on the learners; the budget is checked later. */
export async function judgedOrder(deps: Deps, actor: Actor, asked: AllocationRequest): Promise<Order> {
  const policy = await findPolicy(deps.db, asked.policyUuid);
  if (!policy) throw policyNotFound();
  if (!allocates(supportOf(policy))) {
    throw await refused(deps, actor, policy, { kind: 'unsupported' }, unsupportedDecision(deps, { ...asked, policy }));
  }
  const { contentKey, contentPriceCents: priceCents, batchUuid, suppressEmail, source } = asked;
  const [known, inCatalog] = await Promise.all([
    orderFacts(deps, policy, contentKey),
    orUnavailable(deps.catalog.contains(policy.catalogUuid, contentKey)),
  ]);
  const { content, subsidy } = known;
  const facts = {
    policy,
    contentKey,
    requestedCents: priceCents,
    canonicalCents: content?.priceCents ?? null,
    inCatalog: inCatalog && content !== null,
    isSubsidyActive: subsidy !== null && isSubsidyActive(subsidy, deps.clock()),
    lowerRatio: deps.settings.allocationPriceLowerRatio,
    upperRatio: deps.settings.allocationPriceUpperRatio,
  } satisfies AllocationFacts;
  const refusal = allocationRefusal(facts);
  const admin = { userId: actor.userId, lmsUserId: actor.lmsUserId ?? asked.adminLmsUserId ?? null };
  const order = orderFor(policy, known, { facts, contentKey, priceCents, batchUuid, suppressEmail, source, admin });
  if (!refusal && order) return order;
  const decision = allocationDecision(deps, { ...asked, policy, facts });
  throw await refused(deps, actor, policy, refusal ?? { kind: 'reason', reason: 'content_not_in_catalog' }, decision);
}

/** The refusal of an allocation, whose decision is stored before the caller is told of it. */
async function refused(
  deps: Pick<Deps, 'lms' | 'db'>,
  actor: Actor,
  policy: PolicyRow,
  refusal: Refusal | { readonly kind: 'unsupported' },
  decision: Decision | null,
): Promise<Error> {
  await keepDecisions(deps.db, [decision]);
  const policyUuids = [policy.uuid];
  const decisionUuid = decision?.uuid ?? null;
  switch (refusal.kind) {
    case 'reason': {
      const contacts = await contactsOf(deps, actor, policy.enterpriseCustomerUuid);
      const reasons = [refusalReason(refusal.reason, policyUuids, contacts)];
      return contract.notAllocatable({ reasons, decisionUuid });
    }
    case 'price':
      return contract.allocationRefused({
        reason: 'PriceValidationError',
        userMessage: 'An error occurred while validating the provided price.',
        errorMessage: `['${refusal.message}']`,
        policyUuids,
        decisionUuid,
      });
    case 'unsupported':
      return contract.allocationRefused({
        reason: 'AllocationException',
        userMessage: 'An error occurred during allocation',
        errorMessage: 'Content cannot be allocated through a policy of this type.',
        policyUuids,
        decisionUuid,
      });
  }
}
