import { appendToOutbox, type Transaction, transaction } from '@enterprise-access/db';
import { cancelRequested } from '../assignments/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput } from '../kernel/errors.ts';
import { jobMessage } from '../kernel/jobs/job.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { assignmentConfigurations as configurations, find as findPolicy } from '../policies/index.ts';
import { budgetOf } from './approve.ts';
import * as contract from './contract.ts';
import { remindLearner, tellCancelled, tellDeclined, unlinkLearners } from './job-contracts.ts';
import type { RequestRow } from './store.ts';
import * as store from './store.ts';
import { viewsOf } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'followAssignments'>;

/** Requests per transaction when going through all of a budget. */
const BATCH = 500;

const badInput = (field: string, sentence: string) => invalidInput({ fields: { [field]: [sentence] } });
const listed = (texts: readonly string[]): string => `[${texts.map((text) => `'${text}'`).join(', ')}]`;
const uuidsOf = (rows: readonly RequestRow[]): string[] => rows.map(({ uuid }) => uuid);

/** The requests that a call names, all of the customer; null if one is unknown or of another customer. */
async function named(
  { db }: Deps,
  enterpriseCustomerUuid: string,
  uuids: readonly string[],
): Promise<{ readonly rows: RequestRow[]; readonly unknown: string[] }> {
  const found = await store.findAll(db, uuids);
  const rows = found.filter((row) => row.enterpriseCustomerUuid === enterpriseCustomerUuid);
  const known = new Set(uuidsOf(rows));
  return { rows, unknown: uuids.filter((uuid) => !known.has(uuid)) };
}

/** One mail per request, in the transaction of its cause. */
const tell = (trx: Transaction, job: typeof tellDeclined, rows: readonly RequestRow[], at: Date): Promise<void> =>
  appendToOutbox(
    trx,
    at,
    rows.map(({ uuid, enterpriseCustomerUuid }) =>
      jobMessage(job, { requestUuid: uuid, occasion: at.toISOString() }, enterpriseCustomerUuid),
    ),
  );

interface Declining {
  readonly disassociateFromOrg: boolean;
  readonly declineReason?: string | null | undefined;
}

/** Declines what is still open, in one transaction; returns what was. */
async function declineRows(
  deps: Deps,
  actor: Actor,
  uuids: readonly string[],
  { disassociateFromOrg, declineReason }: Declining,
): Promise<string[]> {
  return transaction(deps.db, async (trx) => {
    const at = deps.clock();
    const open = (await store.hold(trx, uuids)).filter(({ state }) => state === 'requested');
    const steps = open.map((before) => ({
      before,
      after: {
        ...before,
        state: 'declined' as const,
        reviewerUserId: actor.userId,
        reviewerLmsUserId: actor.lmsUserId,
        reviewedAt: at,
        declineReason: declineReason ?? null,
      },
      action: { recentAction: 'declined' as const, status: 'declined' as const },
    }));
    const rows = await store.write(trx, steps, at);
    await tell(trx, tellDeclined, rows, at);
    const [first] = rows;
    // Nobody is unlinked if somebody else has decided about one of them meanwhile.
    if (disassociateFromOrg && first && rows.length === uuids.length) {
      const { enterpriseCustomerUuid } = first;
      const payload = { enterpriseCustomerUuid, requestUuids: uuidsOf(rows) };
      await appendToOutbox(trx, at, [jobMessage(unlinkLearners, payload, enterpriseCustomerUuid)]);
    }
    return uuidsOf(rows);
  });
}

/** R-REQ-50, R-ADD-37. */
export async function decline(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.decline>,
): Promise<Output<typeof contract.decline>> {
  const { subsidyRequestUuid: one, subsidyRequestUuids: several } = input;
  if (one !== undefined && several !== undefined)
    throw badInput('non_field_errors', 'Provide either subsidy_request_uuid or subsidy_request_uuids, not both.');
  const uuids = [...new Set(several ?? (one === undefined ? [] : [one]))];
  if (uuids.length === 0)
    throw badInput('non_field_errors', 'Must provide subsidy_request_uuid or subsidy_request_uuids.');
  const { rows, unknown } = await named(deps, input.enterpriseCustomerUuid, uuids);
  if (unknown.length > 0)
    throw badInput('non_field_errors', `Learner Credit Request(s) with UUID(s) ${listed(unknown)} not found.`);
  const others = rows.filter(({ state }) => state !== 'requested');
  if (others.length > 0) {
    const texts = listed(others.map(({ uuid, state }) => `${uuid} (state: ${state})`));
    throw badInput('non_field_errors', `Learner Credit Request(s) cannot be declined: ${texts}`);
  }
  const declined = await declineRows(deps, actor, uuids, input);
  const nonDeclinable = uuids.filter((uuid) => !declined.includes(uuid));
  if (nonDeclinable.length > 0) throw contract.notAllDeclined({ declined, nonDeclinable });
  return { declined, nonDeclinable };
}

interface OfBudget {
  readonly enterpriseCustomerUuid: string;
  readonly policyUuid: string;
  readonly learnerRequestState?: string | undefined;
}

/** Goes through all requests to a budget in a state, some hundred at once; not found if there are none. */
async function forAll(
  deps: Deps,
  input: OfBudget,
  state: contract.State,
  sentence: string,
  work: (rows: readonly RequestRow[]) => Promise<void>,
): Promise<void> {
  const policy = await budgetOf(deps, input);
  let found = 0;
  for (let after: string | null = null; policy !== null; ) {
    const rows: RequestRow[] = await store.nextOf(deps.db, policy.uuid, [state], {
      after,
      limit: BATCH,
      derived: input.learnerRequestState,
    });
    if (rows.length > 0) await work(rows);
    found += rows.length;
    after = rows.at(-1)?.uuid ?? null;
    if (rows.length < BATCH) break;
  }
  if (found === 0) throw contract.requestsNotFound({}, { message: sentence });
}

export async function declineAll(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.declineAll>,
): Promise<Output<typeof contract.declineAll>> {
  const declined: string[] = [];
  const nonDeclinable: string[] = [];
  const none = 'No declinable requests found for the given policy.';
  await forAll(deps, { ...input, learnerRequestState: undefined }, 'requested', none, async (rows) => {
    const done = new Set(await declineRows(deps, actor, uuidsOf(rows), input));
    for (const { uuid } of rows) (done.has(uuid) ? declined : nonDeclinable).push(uuid);
  });
  return { declined, nonDeclinable };
}

const canRemind = ({ state, assignmentUuid }: RequestRow): boolean => state === 'approved' && assignmentUuid !== null;

async function remindRows(deps: Deps, uuids: readonly string[]): Promise<string[]> {
  return transaction(deps.db, async (trx) => {
    const at = deps.clock();
    const waiting = (await store.hold(trx, uuids)).filter(canRemind);
    const action = { recentAction: 'reminded', status: 'reminded' } as const;
    await store.write(
      trx,
      waiting.map((before) => ({ before, after: before, action })),
      at,
    );
    await tell(trx, remindLearner, waiting, at);
    return uuidsOf(waiting);
  });
}

/** R-REQ-53, R-ADD-35. One uuid or a list, for callers of both releases. */
export async function remind(
  deps: Deps,
  input: Input<typeof contract.remind>,
): Promise<Output<typeof contract.remind>> {
  const { learnerCreditRequestUuid: one, learnerCreditRequestUuids: several } = input;
  const uuids = [...new Set(several ?? (one === undefined ? [] : [one]))];
  if (uuids.length === 0) throw badInput('learner_credit_request_uuids', 'This field is required.');
  if ((await named(deps, input.enterpriseCustomerUuid, uuids)).unknown.length > 0) throw contract.requestsNotFound({});
  const reminded = await remindRows(deps, uuids);
  const nonRemindable = uuids.filter((uuid) => !reminded.includes(uuid));
  if (nonRemindable.length > 0) throw contract.notAllReminded({ nonRemindable });
  return { reminded };
}

export async function remindAll(
  deps: Deps,
  input: Input<typeof contract.remindAll>,
): Promise<Output<typeof contract.remindAll>> {
  const reminded: string[] = [];
  await forAll(deps, input, 'approved', 'No remindable requests found for the given policy.', async (rows) => {
    reminded.push(...(await remindRows(deps, uuidsOf(rows))));
  });
  return { reminded };
}

/** Cancels the assignments of requests to one budget; the requests follow. Returns the cancelled requests. */
async function cancelRows(
  deps: Deps,
  actor: Actor,
  policyUuid: string,
  rows: readonly RequestRow[],
): Promise<string[]> {
  const policy = await findPolicy(deps.db, policyUuid);
  const configurationUuid = policy?.assignmentConfigurationUuid ?? null;
  const configuration = configurationUuid === null ? undefined : await configurations.find(deps.db, configurationUuid);
  const cancelable = rows.filter(({ assignmentUuid }) => assignmentUuid !== null);
  if (!configuration || cancelable.length === 0) return [];
  return transaction(deps.db, async (trx) => {
    const at = deps.clock();
    const admin = { userId: actor.userId, lmsUserId: actor.lmsUserId, at };
    const assignments = cancelable.flatMap(({ assignmentUuid }) => assignmentUuid ?? []);
    const { cancelled, were, held } = await cancelRequested(trx, deps, configuration, assignments, admin);
    const left = await store.holdOfAssignments(trx, [...were, ...held]);
    const steps = left
      .filter(({ state }) => state !== 'cancelled')
      .map((before) => (held.includes(before.assignmentUuid ?? '') ? refused(before) : cancelledNow(before, admin)));
    const late = (await store.write(trx, steps, at)).filter(({ state }) => state === 'cancelled');
    await tell(trx, tellCancelled, late, at);
    const done = new Set([...cancelled, ...were]);
    return uuidsOf(cancelable.filter(({ assignmentUuid }) => done.has(assignmentUuid ?? '')));
  });
}

/** R-ADD-36: a request whose assignment was cancelled before. */
const cancelledNow = (
  before: RequestRow,
  { userId, lmsUserId, at }: { readonly userId: number; readonly lmsUserId: number | null; readonly at: Date },
): store.Step => ({
  before,
  after: { ...before, state: 'cancelled', reviewerUserId: userId, reviewerLmsUserId: lmsUserId, reviewedAt: at },
  action: { recentAction: 'cancelled', status: 'cancelled' },
});

const refused = (before: RequestRow): store.Step => ({
  before,
  after: before,
  action: {
    recentAction: 'cancelled',
    status: 'approved',
    errorReason: 'failed_cancellation',
    traceback: `Failed to cancel assignment ${before.assignmentUuid}`,
  },
});

/** R-REQ-52. */
export async function cancel(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.cancel>,
): Promise<contract.LearnerCreditRequest> {
  const { requestUuid } = input;
  const { rows } = await named(deps, input.enterpriseCustomerUuid, [requestUuid]);
  const [row] = rows;
  if (!row) throw badInput('request_uuid', `Learner credit request with uuid ${requestUuid} not found.`);
  const done = await cancelRows(deps, actor, row.policyUuid, rows);
  if (done.length === 0) {
    const sentence =
      row.assignmentUuid === null
        ? `The learner credit request with uuid ${requestUuid} does not have an associated assignment.`
        : `Failed to cancel associated assignment with uuid: ${row.assignmentUuid} for request: ${requestUuid}.`;
    throw contract.notCancelable({ sentence });
  }
  const [view] = await viewsOf(deps.db, await store.findAll(deps.db, done));
  if (!view) throw contract.notCancelable({ sentence: `Learner credit request with uuid ${requestUuid} not found.` });
  return view;
}

const canCancel = ({ state, assignmentUuid }: RequestRow): boolean => state === 'approved' && assignmentUuid !== null;

/** R-ADD-36, one transaction for each budget. */
export async function bulkCancel(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.bulkCancel>,
): Promise<Output<typeof contract.bulkCancel>> {
  const uuids = [...new Set(input.learnerCreditRequestUuids)];
  const { rows, unknown } = await named(deps, input.enterpriseCustomerUuid, uuids);
  if (unknown.length > 0) throw contract.requestsNotFound({});
  const cancelled: string[] = [];
  for (const [policyUuid, some] of Map.groupBy(rows.filter(canCancel), (row) => row.policyUuid))
    cancelled.push(...(await cancelRows(deps, actor, policyUuid, some)));
  return allCancelled(uuids, cancelled);
}

export async function cancelAll(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.cancelAll>,
): Promise<Output<typeof contract.cancelAll>> {
  const uuids: string[] = [];
  const cancelled: string[] = [];
  await forAll(deps, input, 'approved', 'No APPROVED requests found for the given policy.', async (rows) => {
    uuids.push(...uuidsOf(rows));
    cancelled.push(...(await cancelRows(deps, actor, input.policyUuid, rows.filter(canCancel))));
  });
  return allCancelled(uuids, cancelled);
}

function allCancelled(uuids: readonly string[], cancelled: string[]): { cancelled: string[] } {
  const done = new Set(cancelled);
  const nonCancelable = uuids.filter((uuid) => !done.has(uuid));
  if (nonCancelable.length > 0) throw contract.notAllCancelled({ nonCancelable });
  return { cancelled };
}
