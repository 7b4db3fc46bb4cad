import { permissionDenied } from './errors.ts';
import type { Permission, RoleSources } from './permissions.ts';

/** A role of ours in a context: a customer's uuid, `*` for all of them, or empty when the token named none. */
export interface Grant {
  readonly role: string;
  readonly context: string;
}

/** Who is calling. */
export interface Actor {
  /** Local user id; goes into history and logs instead of anything personal. */
  readonly userId: number;
  readonly username: string;
  /** The learner's id on the platform; null when the token has none. */
  readonly lmsUserId: number | null;
  readonly isStaff: boolean;
  readonly isSuperuser: boolean;
  readonly grants: readonly Grant[];
}

/** `enterprise_learner:<uuid>` of a token becomes the roles of ours that it maps to (R-RBAC-01, R-RBAC-02). */
export function grantsOfToken({ system }: RoleSources, roles: readonly string[]): Grant[] {
  return roles.flatMap((text) => {
    const colon = text.indexOf(':');
    const systemRole = colon === -1 ? text : text.slice(0, colon);
    const context = colon === -1 ? '' : text.slice(colon + 1).toLowerCase();
    // A role named like a built-in property of objects is an unknown role.
    const featureRoles = Object.hasOwn(system, systemRole) ? (system[systemRole] ?? []) : [];
    return featureRoles.map((role) => ({ role, context }));
  });
}

/** A stored assignment without a customer counts for all of them. */
export function grantOfAssignment(
  { stored }: RoleSources,
  featureRole: string,
  enterpriseCustomerUuid: string | null,
): Grant | null {
  const role = Object.hasOwn(stored, featureRole) ? stored[featureRole] : undefined;
  return role === undefined ? null : { role, context: enterpriseCustomerUuid?.toLowerCase() ?? '*' };
}

/**
 * Whether the actor has the permission in the context of one customer. A null context is something that does not
 * exist or was not named: only a caller who may act everywhere gets as far as being told so (R-RBAC-05).
 */
export const isPermitted = (actor: Actor, permission: Permission, context: string | null): boolean =>
  grantedRole(actor, permission, context) !== null;

/** The role that gives the actor the permission; null when none does. */
export function grantedRole(actor: Actor, { roles }: Permission, context: string | null): string | null {
  if (actor.isSuperuser) return 'superuser';
  const grant = actor.grants.find(
    (each) => roles.includes(each.role) && (each.context === '*' || (context !== null && each.context === context)),
  );
  return grant?.role ?? null;
}

/** The refusal of a caller without a permission. The old services spelled its first word in two ways. */
export const missing = ({ name }: Permission, word: 'MISSING' | 'Missing' = 'MISSING') =>
  permissionDenied({ permission: name }, { message: `${word}: ${name}` });
