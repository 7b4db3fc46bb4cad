import { listDecisions } from '../decisions/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { isStanding } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { find as findPolicy, policyNotFound } from '../policies/index.ts';
import type * as contract from './contract.ts';
import { viewOfDecision } from './decisions.ts';
import { factsFor, learnerFacts } from './facts.ts';
import { refusal, verdicts } from './rules.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

/** Decisions that an explanation shows. */
const LINKED = 5;

/** Every check of a redeem with its inputs and verdict; nothing is spent. */
export async function explain(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.explain>,
): Promise<Output<typeof contract.explain>> {
  const policy = await findPolicy(deps.db, input.policyUuid);
  if (!policy || policy.enterpriseCustomerUuid !== input.enterpriseCustomerUuid) throw policyNotFound();
  const known = await learnerFacts(deps, policy.enterpriseCustomerUuid, input.lmsUserId, [policy], [input.contentKey]);
  const facts = await factsFor(deps, policy, input.contentKey, known);
  const reason = refusal(facts);
  const { enterpriseCustomerUuid, lmsUserId, contentKey } = input;
  const last = await listDecisions(
    deps.db,
    { enterpriseCustomerUuid, lmsUserId, contentKey },
    { before: null, limit: LINKED },
  );
  return {
    redeemable: reason === null,
    alreadyRedeemed: known.transactions.some(isStanding),
    reason,
    checks: verdicts(facts),
    lastDecisions: last.map((decision) => viewOfDecision(decision, actor)),
  };
}
