import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { AdminContact } from '../kernel/ports/lms.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { userMessage } from './messages.ts';
import { permissions } from './permissions.ts';
import type { ReasonObject } from './reason-contract.ts';

/** Contacts of a customer: for learners, and all administrators. */
export interface Contacts {
  readonly visible: readonly AdminContact[];
  readonly exist: boolean;
}

/**
 * Contacts in a refusal. The customer's contact address is shown to everybody; its administrators are personal data,
 * shown only to administrators and staff.
 */
export async function contactsOf(deps: Pick<Runtime, 'lms'>, actor: Actor, customerUuid: string): Promise<Contacts> {
  const customer = await orUnavailable(deps.lms.customer(customerUuid));
  if (customer?.contactEmail) return { visible: [{ email: customer.contactEmail, lmsUserId: null }], exist: true };
  const admins = customer?.admins ?? [];
  const mayKnow = actor.isStaff || isPermitted(actor, permissions.has_allocation_access, customerUuid);
  return { visible: mayKnow ? admins : [], exist: admins.length > 0 };
}

/** A refusal reason in replies. */
export const refusalReason = (reason: string, policyUuids: readonly string[], contacts: Contacts): ReasonObject => ({
  reason,
  userMessage: userMessage(reason, contacts.exist),
  metadata: { enterpriseAdministrators: contacts.visible.map((contact) => ({ ...contact })) },
  policyUuids: [...policyUuids],
});
