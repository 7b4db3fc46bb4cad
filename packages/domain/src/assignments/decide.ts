import { type Decision, type NotPassed, newDecision, type StoredFacts } from '../decisions/index.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { PolicyRow } from '../policies/index.ts';
import { type AllocationFacts, allocationChecks, type SupportFacts } from './price.ts';

/** Version of the stored facts and checks; a new one when facts or checks change, so that old decisions are still read. */
const VERSION = 1;

/** Names of the checks of each version, in the order in which they decide. */
export const allocationCheckNames: Readonly<Record<number, readonly string[]>> = {
  1: [
    'price_negative',
    'price_unknown',
    'price_out_of_bounds',
    'policy_expired',
    'content_not_in_catalog',
    'subsidy_expired',
  ],
};

/** Facts of an allocation in the form that is stored; the key stays in its column. */
export const storedAllocation = ({ policy, contentKey: _, ...facts }: AllocationFacts): StoredFacts => ({
  v: VERSION,
  of: 'allocation',
  ...facts,
  policy: { active: policy.active, retired: policy.retired },
});

/** The facts again, as far as verdicts depend on them. */
export function allocationOf({ v: _v, of: _of, ...facts }: StoredFacts): AllocationFacts {
  return { contentKey: '', ...facts } as unknown as AllocationFacts;
}

/** The first check that fails, by name. */
export const failedAllocationCheck = (facts: AllocationFacts): string | null =>
  allocationChecks.find(({ refuses }) => refuses(facts) !== null)?.name ?? null;

interface Allocation {
  readonly policy: PolicyRow;
  readonly contentKey: string;
  readonly facts: AllocationFacts;
  readonly learnerCount?: number;
  /** The learner of a forced redemption. */
  readonly lmsUserId?: number;
}

/** The decision about an allocation. `limit` is what the budget said after every check had passed. */
export function allocationDecision(
  deps: Pick<Runtime, 'clock' | 'settings'>,
  { policy, contentKey, facts, learnerCount, lmsUserId }: Allocation,
  limit: string | null = null,
): Decision | null {
  const failed = allocationChecks.filter(({ refuses }) => refuses(facts) !== null).map(({ name }) => name);
  const checks: NotPassed = Object.fromEntries(
    [...failed, ...(limit === null ? [] : ['reservation'])].map((name) => [name, 'failed']),
  );
  return newDecision(deps, {
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    policyUuid: policy.uuid,
    lmsUserId: lmsUserId ?? null,
    contentKey,
    kind: lmsUserId === undefined ? 'allocate' : 'force',
    reason: limit ?? failed[0] ?? null,
    learnerCount: learnerCount ?? 1,
    checks,
    facts: storedAllocation(facts),
  });
}

export const UNSUPPORTED = 'unsupported_policy_type';

export const supportOf = ({
  policyType,
  learnerCreditRequestConfigUuid,
  assignmentConfigurationUuid,
}: PolicyRow): SupportFacts => ({
  policyType,
  takesRequests: learnerCreditRequestConfigUuid !== null,
  hasConfiguration: assignmentConfigurationUuid !== null,
});

/** The refusal of an allocation through a policy that allocates nothing. */
export const unsupportedDecision = (
  deps: Pick<Runtime, 'clock' | 'settings'>,
  { policy, contentKey, learnerCount }: Pick<Allocation, 'policy' | 'contentKey' | 'learnerCount'>,
): Decision | null =>
  newDecision(deps, {
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    policyUuid: policy.uuid,
    lmsUserId: null,
    contentKey,
    kind: 'allocate',
    reason: UNSUPPORTED,
    learnerCount: learnerCount ?? 1,
    checks: { [UNSUPPORTED]: 'failed' },
    facts: { v: VERSION, of: 'support', ...supportOf(policy) },
  });
