import type { Input, Output } from '../kernel/contract.ts';
import { isStanding } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { find as findPolicy, policyNotFound } from '../policies/index.ts';
import type * as contract from './contract.ts';
import { factsFor, learnerFacts } from './facts.ts';
import { refusal, verdicts } from './rules.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

/** Returns every check of a redeem with its inputs and verdict; spends nothing. */
export async function explain(
  deps: Deps,
  input: Input<typeof contract.explain>,
): Promise<Output<typeof contract.explain>> {
  const policy = await findPolicy(deps.db, input.policyUuid);
  if (!policy || policy.enterpriseCustomerUuid !== input.enterpriseCustomerUuid) throw policyNotFound();
  const known = await learnerFacts(deps, policy.enterpriseCustomerUuid, input.lmsUserId, [policy], [input.contentKey]);
  const facts = await factsFor(deps, policy, input.contentKey, known);
  const reason = refusal(facts);
  return {
    redeemable: reason === null,
    alreadyRedeemed: known.transactions.some(isStanding),
    reason,
    checks: verdicts(facts),
  };
}
