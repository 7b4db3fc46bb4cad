import { permissionDenied } from './errors.ts';
import type { Permission, RoleSources } from './permissions.ts';

/** A feature role in a context: a customer's uuid, `*` for all customers, or empty if the token has no context. */
export interface Grant {
  readonly role: string;
  readonly context: string;
}

/** The authenticated caller. */
export interface Actor {
  /** Local user id; used in history and logs instead of personal data. */
  readonly userId: number;
  readonly username: string;
  /** The learner's id on the platform; null when the token has none. */
  readonly lmsUserId: number | null;
  readonly isStaff: boolean;
  readonly isSuperuser: boolean;
  readonly grants: readonly Grant[];
}

/** Maps roles of a token, such as `enterprise_learner:<uuid>`, to feature roles (R-RBAC-01, R-RBAC-02). */
export function grantsOfToken({ system }: RoleSources, roles: readonly string[]): Grant[] {
  return roles.flatMap((text) => {
    const colon = text.indexOf(':');
    const systemRole = colon === -1 ? text : text.slice(0, colon);
    const context = colon === -1 ? '' : text.slice(colon + 1).toLowerCase();
    // `hasOwn`: a role named like a built-in property, such as `constructor`, is unknown.
    const featureRoles = Object.hasOwn(system, systemRole) ? (system[systemRole] ?? []) : [];
    return featureRoles.map((role) => ({ role, context }));
  });
}

/** A stored role assignment without a customer applies to all customers. */
export function grantOfAssignment(
  { stored }: RoleSources,
  featureRole: string,
  enterpriseCustomerUuid: string | null,
): Grant | null {
  const role = Object.hasOwn(stored, featureRole) ? stored[featureRole] : undefined;
  return role === undefined ? null : { role, context: enterpriseCustomerUuid?.toLowerCase() ?? '*' };
}

/**
 * Whether the actor has the permission for a customer. The context is null if the resource does not exist or was not
 * named: then only actors with the permission for all customers pass, and get the 404 (R-RBAC-05).
 */
export const isPermitted = (actor: Actor, permission: Permission, context: string | null): boolean =>
  grantedRole(actor, permission, context) !== null;

/** The role that gives the actor the permission; null when none does. */
export function grantedRole(actor: Actor, { roles, isForStaff }: Permission, context: string | null): string | null {
  if (actor.isSuperuser) return 'superuser';
  if (isForStaff) return actor.isStaff ? 'staff' : null;
  const grant = actor.grants.find(
    (each) => roles.includes(each.role) && (each.context === '*' || (context !== null && each.context === context)),
  );
  return grant?.role ?? null;
}

/** The role that gives the actor the permission for any customer; null when none does. */
export function heldRole(actor: Actor, { roles }: Permission): string | null {
  if (actor.isSuperuser) return 'superuser';
  return actor.grants.find(({ role }) => roles.includes(role))?.role ?? null;
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Customers whose rows a caller can see in a list. */
export type VisibleCustomers = 'all' | readonly string[];

/**
 * The customers for which the actor has the permission; null without any (R-RBAC-10). Staff without a role see an
 * empty list.
 */
export function visibleCustomers(actor: Actor, { roles }: Permission): VisibleCustomers | null {
  if (actor.isSuperuser) return 'all';
  const contexts = actor.grants.flatMap(({ role, context }) => (roles.includes(role) ? [context] : []));
  if (contexts.includes('*')) return 'all';
  const customers = [...new Set(contexts.filter((context) => GUID.test(context)))];
  return customers.length > 0 || actor.isStaff ? customers : null;
}

/** The error for a missing permission. The old services spell its first word in two ways. */
export const missing = ({ name }: Permission, word: 'MISSING' | 'Missing' | 'plain' = 'MISSING') =>
  permissionDenied({ permission: name }, word === 'plain' ? {} : { message: `${word}: ${name}` });
