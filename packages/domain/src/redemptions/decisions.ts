import { z } from 'zod';
import { type Decision, findDecision, listDecisions } from '../decisions/index.ts';
import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { keyOf, keysetPage } from '../kernel/keyset.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import type * as contract from './decision-contract.ts';
import { checksOf } from './judge-again.ts';

type Deps = Pick<Runtime, 'db'>;

/** Requests and stored facts are for those who run the service; administrators see verdict, reason and checks. */
export function viewOfDecision(decision: Decision, actor: Actor): contract.DecisionView {
  const isOperator = isPermitted(actor, policyPermissions.has_write_access, decision.enterpriseCustomerUuid);
  return {
    ...decision,
    checks: checksOf(decision),
    requestId: isOperator ? decision.requestId : null,
    facts: isOperator ? decision.facts : null,
  };
}

/** A page of decisions. Nobody counts them all: the next page begins where this one ends. */
export async function decisionsOf(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.listDecisions>,
): Promise<Output<typeof contract.listDecisions>> {
  const { cursor, pageSize, ...filter } = input;
  const before = keyOf(z.guid(), cursor);
  const rows = await listDecisions(deps.db, filter, { before, limit: pageSize + 1 });
  const page = keysetPage(rows, pageSize, ({ uuid }) => uuid);
  return { ...page, items: page.items.map((decision) => viewOfDecision(decision, actor)), pageSize };
}

export async function getDecision(
  deps: Deps,
  actor: Actor,
  { uuid }: Input<typeof contract.getDecision>,
): Promise<Output<typeof contract.getDecision>> {
  const found = await findDecision(deps.db, uuid);
  if (!found) throw notFound({});
  return viewOfDecision(found, actor);
}
