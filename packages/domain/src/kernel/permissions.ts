/** Something that an operation demands of its caller, and the roles of ours that have it. */
export interface Permission {
  /** `subsidy_access_policy.has_read_access`; part of the wire format. */
  readonly name: string;
  readonly roles: readonly string[];
}

/** Declares the permissions of one subject: the name of each, and the roles that have it. */
export const definePermissions = <const P extends string>(
  subject: string,
  roles: Readonly<Record<P, readonly string[]>>,
): Readonly<Record<P, Permission>> =>
  Object.fromEntries(
    Object.entries<readonly string[]>(roles).map(([name, all]) => [name, { name: `${subject}.${name}`, roles: all }]),
  ) as Record<P, Permission>;

/** Where roles come from. */
export interface RoleSources {
  /** System roles of the platform's tokens, with the roles of ours that they carry (R-RBAC-01). */
  readonly system: Readonly<Record<string, readonly string[]>>;
  /** Names of stored role assignments, as in the tables of the old services, with the role of ours that each is. */
  readonly stored: Readonly<Record<string, string>>;
}
