import { type Decision, findDecision, listDecisions } from '../decisions/index.ts';
import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
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

const PREFIX = 'd';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const cursorAfter = (uuid: string): string => Buffer.from(PREFIX + uuid).toString('base64url');

function positionOf(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!text.startsWith(PREFIX) || !UUID.test(text.slice(PREFIX.length)))
    throw invalidInput({ fields: { cursor: ['Invalid cursor.'] } });
  return text.slice(PREFIX.length);
}

/** A page of decisions. Nobody counts them all: the next page begins where this one ends. */
export async function decisionsOf(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.listDecisions>,
): Promise<Output<typeof contract.listDecisions>> {
  const { cursor, pageSize, ...filter } = input;
  const found = await listDecisions(deps.db, filter, { before: positionOf(cursor), limit: pageSize + 1 });
  const shown = found.slice(0, pageSize);
  const last = shown.at(-1);
  return {
    items: shown.map((decision) => viewOfDecision(decision, actor)),
    nextCursor: found.length > pageSize && last ? cursorAfter(last.uuid) : null,
    pageSize,
  };
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
