import type { Content } from '../kernel/ports/catalog.ts';
import { isSubsidyActive, type Subsidy } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { PolicyRow } from '../policies/index.ts';
import type { Terms } from './plan.ts';
import type { AllocationFacts } from './price.ts';
import type { ActionActor } from './store.ts';

/** What is allocated, from which policy, and by whom. */
export interface Order {
  readonly policy: PolicyRow;
  readonly subsidy: Subsidy;
  /** What was judged. */
  readonly facts: AllocationFacts;
  readonly terms: Omit<Terms, 'at' | 'correlationId'>;
  readonly by: ActionActor;
  readonly suppressEmail: boolean;
  /** For a forced redemption: the account of the learner, independent of stored addresses. */
  readonly account?: { readonly emailKey: string; readonly lmsUserId: number };
}

export interface Wanted {
  readonly facts: AllocationFacts;
  readonly contentKey: string;
  readonly priceCents: number;
  readonly batchUuid: string;
  readonly suppressEmail: boolean;
  readonly source: ActionActor['source'];
  /** The administrator who allocates: local user and platform account. */
  readonly admin: { readonly userId: number | null; readonly lmsUserId: number | null };
  readonly account?: Order['account'];
}

/** Facts from other services; null if unknown there. */
export interface OrderFacts {
  readonly content: Content | null;
  readonly subsidy: Subsidy | null;
}

export async function orderFacts(
  deps: Pick<Runtime, 'catalog' | 'ledger'>,
  { enterpriseCustomerUuid, subsidyUuid }: PolicyRow,
  contentKey: string,
): Promise<OrderFacts> {
  const [content, subsidies] = await orUnavailable(
    Promise.all([deps.catalog.content(enterpriseCustomerUuid, contentKey), deps.ledger.subsidies([subsidyUuid])]),
  );
  return { content, subsidy: subsidies.get(subsidyUuid) ?? null };
}

/** Builds the order; null if the policy cannot allocate, or content or subsidy are unknown. */
export function orderFor(policy: PolicyRow, { content, subsidy }: OrderFacts, wanted: Wanted): Order | null {
  const { assignmentConfigurationUuid: configurationUuid } = policy;
  if (configurationUuid === null || !content || !subsidy) return null;
  const { contentKey, priceCents, batchUuid, admin, account, facts } = wanted;
  const { contentKey: courseKey, courseRunKey, title } = content;
  return {
    policy,
    subsidy,
    facts,
    terms: {
      configurationUuid,
      enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
      contentKey,
      priceCents,
      batchUuid,
      adminLmsUserId: admin.lmsUserId,
      content: { contentKey: courseKey, courseRunKey, title },
    },
    by: { ...admin, type: 'admin', source: wanted.source },
    suppressEmail: wanted.suppressEmail,
    ...(account ? { account } : {}),
  };
}

/** Facts of an order whose price and content were accepted before, or are not asked about: what is left can have ended. */
export const acceptedFacts = (
  policy: PolicyRow,
  subsidy: Subsidy | null,
  { contentKey, priceCents }: Pick<Wanted, 'contentKey' | 'priceCents'>,
  now: Date,
): AllocationFacts => ({
  policy,
  contentKey,
  requestedCents: priceCents,
  canonicalCents: priceCents,
  inCatalog: true,
  isSubsidyActive: subsidy !== null && isSubsidyActive(subsidy, now),
  lowerRatio: 1,
  upperRatio: 1,
});
