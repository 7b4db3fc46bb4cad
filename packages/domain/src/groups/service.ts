import { transaction } from '@enterprise-access/db';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import type { GroupMembersQuery } from '../kernel/ports/lms.ts';
import { orUnavailable, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { find as findPolicy, groupsOf, policyGroups } from '../policies/index.ts';
import type * as contract from './contract.ts';
import { byEnrollmentCount, csvOf, memberOrderOf, pagesFor, slicePage, withCount } from './rules.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'ledger'>;
type Question = Input<typeof contract.listMembers>;
type Members = Omit<Output<typeof contract.listMembers>, 'csv'>;

const policyNotFound = () => notFound({}, { message: 'Policy not found' });
const groupNotFound = () => notFound({}, { message: 'Policy group not found associated with subsidy' });
const invalidPage = () => notFound({}, { message: 'Invalid page.' });

export async function listMembers(deps: Deps, input: Question): Promise<Output<typeof contract.listMembers>> {
  const policy = await findPolicy(deps.db, input.uuid);
  if (!policy) throw policyNotFound();
  const groupUuid = await groupOf(deps, input);
  const counts = await orUnavailable(deps.ledger.enrollmentCounts(policy.subsidyUuid, policy.uuid));
  const members = await membersOf(deps, input, groupUuid, counts);
  return { ...members, csv: input.formatCsv ? csvOf(members.items) : null };
}

/** The requested group if it belongs to the policy; without a request the first group of the policy (R-GRP-04). */
async function groupOf(deps: Pick<Deps, 'db'>, input: Question): Promise<string> {
  const groups = (await groupsOf(deps.db, [input.uuid])).get(input.uuid) ?? [];
  const group = groups.find((each) => each !== null && (input.groupUuid === undefined || each === input.groupUuid));
  if (!group) throw groupNotFound();
  return group;
}

async function membersOf(
  deps: Pick<Deps, 'lms'>,
  input: Question,
  groupUuid: string,
  counts: ReadonlyMap<number, number>,
): Promise<Members> {
  const sortBy = memberOrderOf(input.sortBy);
  const isOurOrder = sortBy === 'enrollment_count';
  const query: GroupMembersQuery = {
    groupUuid,
    userQuery: input.userQuery,
    showRemoved: input.showRemoved,
    learners: input.learners,
    // The LMS does not know enrollment counts, so sort by them here.
    ...(isOurOrder ? {} : { sortBy, isReversed: input.isReversed }),
  };
  const { page } = input;
  if (page !== undefined && !isOurOrder) {
    const found = await known(deps.lms.groupMembers(query, page), page === 1 ? groupNotFound : invalidPage);
    const items = found.members.map((each) => withCount(each, counts));
    return { items, count: found.count, page, numPages: Math.max(1, found.pages) };
  }
  const found = await known(deps.lms.allGroupMembers(query), groupNotFound);
  const all = found.map((each) => withCount(each, counts));
  const items = isOurOrder ? byEnrollmentCount(all, input.isReversed) : all;
  if (page === undefined) return { items, count: items.length, page: 1, numPages: 1 };
  const numPages = pagesFor(items.length);
  if (page > numPages) throw invalidPage();
  return { items: slicePage(items, page), count: items.length, page, numPages };
}

/** Converts a 404 of the LMS to our 404; a missing answer stays an `UpstreamFailure`. */
async function known<T>(work: Promise<T>, missing: () => Error): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamRefusal && error.status === 404) throw missing();
    return orUnavailable(Promise.reject(error));
  }
}

/**
 * Rejects groups of other customers: their members could spend this budget, and their names would be shown to this
 * customer's administrators.
 */
async function assertOwnGroup(deps: Pick<Deps, 'lms'>, customerUuid: string, groupUuid: string): Promise<void> {
  const owner = await orUnavailable(deps.lms.customerOfGroup(groupUuid));
  if (owner === customerUuid) return;
  const message = owner === null ? 'This group does not exist.' : 'This group belongs to another enterprise customer.';
  throw invalidInput({ fields: { group_uuid: [message] } });
}

export async function addAssociation(
  deps: Deps,
  input: Input<typeof contract.addAssociation>,
): Promise<Output<typeof contract.addAssociation>> {
  const pair = { policyUuid: input.uuid, groupUuid: input.groupUuid };
  const policy = await findPolicy(deps.db, input.uuid);
  if (!policy) throw policyNotFound();
  await assertOwnGroup(deps, policy.enterpriseCustomerUuid, input.groupUuid);
  const { enterpriseCustomerUuid } = policy;
  const created = await transaction(deps.db, (trx) =>
    policyGroups.insert(trx, { ...pair, enterpriseCustomerUuid }, deps.clock()),
  );
  const association = await policyGroups.find(deps.db, pair);
  // The association was removed concurrently: add it again.
  return association ? { association, created } : addAssociation(deps, input);
}

export const removeAssociations = async (
  deps: Deps,
  input: Input<typeof contract.removeAssociations>,
): Promise<Output<typeof contract.removeAssociations>> => ({
  removed: await transaction(deps.db, (trx) => policyGroups.remove(trx, input.enterpriseUuid, input.groupUuid)),
});
