import { type AssignmentRow, ofLearner } from '../assignments/index.ts';
import { assignmentFor } from '../assignments/rules.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import type { LedgerTransaction, Subsidy } from '../kernel/ports/ledger.ts';
import type { Learner } from '../kernel/ports/lms.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { groupsOf, type LearnerShare, type PolicyRow, sharesOf } from '../policies/index.ts';
import { type Facts, needsAssignment } from './rules.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'catalog' | 'ledger'>;

/** Facts that do not depend on the content; loaded once for all policies and content keys. */
export interface LearnerFacts {
  readonly now: Date;
  readonly learner: Learner | null;
  readonly groups: ReadonlyMap<string, readonly (string | null)[]>;
  readonly subsidies: ReadonlyMap<string, Subsidy>;
  readonly shares: ReadonlyMap<string, LearnerShare>;
  /** The learner's assignments of policies that have some, in any state, latest first. */
  readonly assignments: readonly AssignmentRow[];
  /** The learner's transactions for the content keys, in any state and through any policy, oldest first. */
  readonly transactions: readonly LedgerTransaction[];
}

/** Loads the facts in a constant number of statements, for any number of policies and keys. */
export async function learnerFacts(
  deps: Deps,
  customerUuid: string,
  lmsUserId: number,
  policies: readonly PolicyRow[],
  contentKeys: readonly string[],
): Promise<LearnerFacts> {
  const policyUuids = policies.map(({ uuid }) => uuid);
  const subsidyUuids = [...new Set(policies.map(({ subsidyUuid }) => subsidyUuid))];
  const configurationUuids = policies.flatMap(({ assignmentConfigurationUuid: uuid }) => (uuid === null ? [] : [uuid]));
  const [learner, groups, subsidies, shares, assignments, transactions] = await Promise.all([
    orUnavailable(deps.lms.learner(customerUuid, lmsUserId)),
    groupsOf(deps.db, policyUuids),
    orUnavailable(deps.ledger.subsidies(subsidyUuids)),
    sharesOf(deps.db, policyUuids, lmsUserId),
    ofLearner(deps.db, configurationUuids, lmsUserId),
    orUnavailable(deps.ledger.transactions({ subsidyUuids, lmsUserId, contentKeys })),
  ]);
  return { now: deps.clock(), learner, groups, subsidies, shares, assignments, transactions };
}

/** The facts of a redemption with all that the catalog says of its content. */
export interface CollectedFacts extends Facts {
  readonly content: Content | null;
}

/** Adds what the catalog knows of one content. */
export async function factsFor(
  deps: Pick<Deps, 'catalog'>,
  policy: PolicyRow,
  contentKey: string,
  known: LearnerFacts,
  options: { skipsDeadline?: boolean } = {},
): Promise<CollectedFacts> {
  const [inCatalog, content] = await orUnavailable(
    Promise.all([
      deps.catalog.contains(policy.catalogUuid, contentKey),
      deps.catalog.content(policy.enterpriseCustomerUuid, contentKey),
    ]),
  );
  const share = known.shares.get(policy.uuid);
  const assignments = known.assignments.filter(
    (row) => row.assignmentConfigurationUuid === policy.assignmentConfigurationUuid,
  );
  return {
    now: known.now,
    policy,
    policyGroups: known.groups.get(policy.uuid) ?? [],
    learnerGroups: known.learner?.groupUuids ?? null,
    inCatalog,
    content,
    subsidy: known.subsidies.get(policy.subsidyUuid) ?? null,
    assignment: needsAssignment(policy) ? assignmentFor(assignments, contentKey, content?.contentKey ?? null) : null,
    learnerSpentCents: share?.spentCents ?? 0,
    learnerRedemptionCount: share?.redemptionCount ?? 0,
    skipsDeadline: options.skipsDeadline ?? false,
  };
}

/** Whether an assignment was made under a policy. */
export const isOf = (policy: PolicyRow, row: { readonly assignmentConfigurationUuid: string }): boolean =>
  row.assignmentConfigurationUuid === policy.assignmentConfigurationUuid;
