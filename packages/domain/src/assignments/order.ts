import type { Content } from '../kernel/ports/catalog.ts';
import { isSubsidyActive, type Subsidy } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { PolicyRow } from '../policies/index.ts';
import type { Terms } from './plan.ts';
import type { AllocationFacts } from './price.ts';
import type { Doer } from './store.ts';

/** What is allocated, to whom it is charged, and who does it. */
export interface Order {
  readonly policy: PolicyRow;
  readonly subsidy: Subsidy;
  /** What was judged. */
  readonly facts: AllocationFacts;
  readonly terms: Omit<Terms, 'at'>;
  readonly by: Doer;
  readonly suppressEmail: boolean;
  /** The learner of a forced redemption is known by account, whatever we know of addresses. */
  readonly account?: { readonly emailKey: string; readonly lmsUserId: number };
}

export interface Wanted {
  readonly facts: AllocationFacts;
  readonly contentKey: string;
  readonly priceCents: number;
  readonly batchUuid: string;
  readonly suppressEmail: boolean;
  readonly source: Doer['source'];
  /** Administrator in whose name it is allocated: the local user and the account on the platform. */
  readonly admin: { readonly userId: number | null; readonly lmsUserId: number | null };
  readonly account?: Order['account'];
}

/** What other services know of an order; null for what they do not know. */
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

/** The order for what is wanted; null when the policy allocates nothing, or content or subsidy are unknown. */
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
