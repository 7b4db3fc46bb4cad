import { appendToOutbox, transaction } from '@enterprise-access/db';
import { AllocationRefused, allocateRequested, retryingCollisions, type Seat } from '../assignments/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { newUuid } from '../kernel/ids.ts';
import { jobMessage } from '../kernel/jobs/job.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import { isSubsidyActive, type Subsidy } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { find as findPolicy, type PolicyRow } from '../policies/index.ts';
import * as contract from './contract.ts';
import { tellApproved } from './job-contracts.ts';
import { approvable, budgetRefusal, requestRefusal } from './rules.ts';
import type { RequestRow } from './store.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'catalog' | 'ledger' | 'settings'>;
type Approval = Output<typeof contract.approve>;

/** Requests per transaction of `approveAll`. */
const BATCH = 500;
/** Courses that are looked up at once. */
const LOOKUPS = 8;
/** Rounds if other administrators decide about some of the requests at the same time. */
const ROUNDS = 5;

/** Thrown in a transaction: somebody else has decided about some of the requests. */
class DecidedMeanwhile extends Error {}

/** A budget of the customer; null when it is unknown or somebody else's. */
export async function budgetOf(
  { db }: Pick<Deps, 'db'>,
  { policyUuid, enterpriseCustomerUuid }: { readonly policyUuid: string; readonly enterpriseCustomerUuid: string },
): Promise<PolicyRow | null> {
  const policy = await findPolicy(db, policyUuid);
  return policy?.enterpriseCustomerUuid === enterpriseCustomerUuid ? policy : null;
}

export async function approve(deps: Deps, actor: Actor, input: Input<typeof contract.approve>): Promise<Approval> {
  const policy = await budgetOf(deps, input);
  const uuids = [...new Set(input.learnerCreditRequestUuids)];
  const rows = policy ? await store.findAll(deps.db, uuids) : [];
  if (!policy || rows.length < uuids.length || rows.some(({ policyUuid }) => policyUuid !== policy.uuid))
    throw contract.requestsNotFound({});
  const candidates = rows.filter(({ state }) => approvable.includes(state));
  if (candidates.length === 0)
    throw contract.notAllApproved({ approved: [], failed: rows.map(({ uuid }) => uuid), errorMessage: null });
  return complete(await approveRows(deps, actor, policy, candidates));
}

export async function approveAll(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.approveAll>,
): Promise<Approval> {
  const policy = await budgetOf(deps, input);
  if (!policy) throw contract.requestsNotFound({});
  const all: Approval[] = [];
  for (let after: string | null = null; ; ) {
    const rows: RequestRow[] = await store.nextOf(deps.db, policy.uuid, approvable, { after, limit: BATCH });
    if (rows.length > 0) all.push(await approveRows(deps, actor, policy, rows));
    after = rows.at(-1)?.uuid ?? null;
    if (rows.length < BATCH) break;
  }
  if (all.length === 0) throw contract.requestsNotFound({});
  return complete({
    approved: all.flatMap(({ approved }) => approved),
    failed: all.flatMap(({ failed }) => failed),
    errorMessage: all.find(({ errorMessage }) => errorMessage !== null)?.errorMessage ?? null,
  });
}

/** R-REQ-49: what was approved stays approved even if others failed. */
function complete(approval: Approval): Approval {
  if (approval.failed.length > 0 || approval.errorMessage !== null) throw contract.notAllApproved(approval);
  return approval;
}

/** Judges requests and allocates those that pass, all or none of them as far as the budget is concerned (R-REQ-46). */
async function approveRows(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  candidates: readonly RequestRow[],
): Promise<Approval> {
  const facts = await factsOf(deps, policy, candidates);
  const refusal =
    facts.refusal ?? (policy.assignmentConfigurationUuid === null ? 'This policy does not support BNR.' : null);
  if (refusal !== null) return allFailed(deps, candidates, refusal);
  let rows = candidates;
  for (let round = 1; round <= ROUNDS && rows.length > 0; round += 1) {
    try {
      return await retryingCollisions(policy.uuid, () => decide(deps, actor, policy, rows, facts));
    } catch (error) {
      if (error instanceof AllocationRefused) return allFailed(deps, rows, error.reason);
      if (!(error instanceof DecidedMeanwhile)) throw error;
      const now = await store.findAll(
        deps.db,
        rows.map(({ uuid }) => uuid),
      );
      rows = now.filter(({ state }) => approvable.includes(state));
    }
  }
  return { approved: [], failed: candidates.map(({ uuid }) => uuid), errorMessage: null };
}

interface CourseFacts {
  readonly inCatalog: boolean;
  readonly content: Content | null;
}

interface Facts {
  readonly refusal: string | null;
  readonly subsidy: Subsidy | null;
  readonly courses: ReadonlyMap<string, CourseFacts>;
}

async function factsOf(deps: Deps, policy: PolicyRow, rows: readonly RequestRow[]): Promise<Facts> {
  const common = {
    takesRequests: policy.learnerCreditRequestConfigUuid !== null,
    isActive: policy.active && !policy.retired,
  };
  // What the budget says by itself needs no call.
  const early = budgetRefusal({ ...common, isSubsidyActive: true });
  if (early !== null) return { refusal: early, subsidy: null, courses: new Map() };
  const subsidies = await orUnavailable(deps.ledger.subsidies([policy.subsidyUuid]));
  const subsidy = subsidies.get(policy.subsidyUuid) ?? null;
  const refusal = budgetRefusal({
    ...common,
    isSubsidyActive: subsidy !== null && isSubsidyActive(subsidy, deps.clock()),
  });
  const keys = refusal === null ? [...new Set(rows.flatMap(({ courseId }) => courseId ?? []))] : [];
  const courses = new Map<string, CourseFacts>();
  for (let at = 0; at < keys.length; at += LOOKUPS) {
    const some = keys.slice(at, at + LOOKUPS);
    const found = await orUnavailable(
      Promise.all(
        some.map((key) =>
          Promise.all([
            deps.catalog.contains(policy.catalogUuid, key),
            deps.catalog.content(policy.enterpriseCustomerUuid, key),
          ]),
        ),
      ),
    );
    some.forEach((key, place) => {
      const [inCatalog = false, content = null] = found[place] ?? [];
      courses.set(key, { inCatalog: inCatalog && content !== null, content });
    });
  }
  return { refusal, subsidy, courses };
}

/** One request with the seat that its approval takes, or why there is none. */
function judged(
  deps: Deps,
  row: RequestRow,
  { courses }: Facts,
): { readonly seat: Seat } | { readonly reason: string } {
  const { inCatalog = false, content = null } = courses.get(row.courseId ?? '') ?? {};
  const reason = requestRefusal({
    inCatalog,
    requestedCents: row.coursePriceCents,
    canonicalCents: content?.priceCents ?? null,
    lowerRatio: deps.settings.allocationPriceLowerRatio,
    upperRatio: deps.settings.allocationPriceUpperRatio,
  });
  if (reason !== null) return { reason };
  if (content === null || row.coursePriceCents === null || row.courseId === null)
    return { reason: 'content_not_in_catalog' };
  return {
    seat: {
      requestUuid: row.uuid,
      email: row.userEmail,
      lmsUserId: row.lmsUserId,
      priceCents: row.coursePriceCents,
      contentKey: row.courseId,
      content,
    },
  };
}

/** One transaction: assignments, requests, actions, the budget, and the mails that follow (R-ADD-31). */
async function decide(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  rows: readonly RequestRow[],
  facts: Facts,
): Promise<Approval> {
  const verdicts = new Map(rows.map((row) => [row.uuid, judged(deps, row, facts)]));
  const seats = [...verdicts.values()].flatMap((verdict) => ('seat' in verdict ? [verdict.seat] : []));
  const admin = { userId: actor.userId, lmsUserId: actor.lmsUserId };
  const { assignmentConfigurationUuid } = policy;
  const { subsidy } = facts;
  if (assignmentConfigurationUuid === null || subsidy === null) throw new Error('The budget cannot allocate.');
  return transaction(deps.db, async (trx) => {
    const at = deps.clock();
    let outcome: Approval = { approved: [], failed: [], errorMessage: null };
    const order = { policy: { ...policy, assignmentConfigurationUuid }, subsidy, batchUuid: newUuid(), admin };
    await allocateRequested(trx, deps, order, seats, async (assignments) => {
      const held = await store.hold(
        trx,
        rows.map(({ uuid }) => uuid),
      );
      if (held.length < rows.length || held.some(({ state }) => !approvable.includes(state)))
        throw new DecidedMeanwhile();
      const steps = held.map((before) => {
        const verdict = verdicts.get(before.uuid);
        const assignmentUuid = assignments.get(before.uuid) ?? null;
        if (assignmentUuid === null)
          return failure(before, verdict && 'reason' in verdict ? verdict.reason : 'already_assigned');
        return {
          before,
          after: {
            ...before,
            state: 'approved' as const,
            assignmentUuid,
            reviewerUserId: admin.userId,
            reviewerLmsUserId: admin.lmsUserId,
            reviewedAt: at,
          },
          action: { recentAction: 'approved' as const, status: 'approved' as const },
        };
      });
      const written = await store.write(trx, steps, at);
      const approved = written.filter(({ state }) => state === 'approved');
      outcome = {
        approved: approved.map(({ uuid }) => uuid),
        failed: written.filter(({ state }) => state !== 'approved').map(({ uuid }) => uuid),
        errorMessage: null,
      };
      const occasion = at.toISOString();
      await appendToOutbox(
        trx,
        at,
        approved.map(({ uuid, enterpriseCustomerUuid }) =>
          jobMessage(tellApproved, { requestUuid: uuid, occasion }, enterpriseCustomerUuid),
        ),
      );
    });
    return outcome;
  });
}

const failure = (
  before: RequestRow,
  reason: string,
  text = `Validation failed with reason: ${reason}`,
): store.Step => ({
  before,
  after: before,
  action: { recentAction: 'approved', status: 'requested', errorReason: 'failed_approval', traceback: text },
});

/** R-ADD-32: nothing was approved; each request says why. */
async function allFailed(deps: Deps, rows: readonly RequestRow[], reason: string): Promise<Approval> {
  const uuids = rows.map(({ uuid }) => uuid);
  await transaction(deps.db, async (trx) => {
    const held = await store.hold(trx, uuids);
    const open = held.filter(({ state }) => approvable.includes(state));
    await store.write(
      trx,
      open.map((before) => failure(before, reason, reason)),
      deps.clock(),
    );
  });
  return { approved: [], failed: uuids, errorMessage: reason };
}
