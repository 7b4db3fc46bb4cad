/** A permission that an operation requires, and the feature roles that grant it. */
export interface Permission {
  /** `subsidy_access_policy.has_read_access`; part of the wire format. */
  readonly name: string;
  readonly roles: readonly string[];
  /** Granted to staff of the platform, whatever their roles. */
  readonly isForStaff?: boolean;
  /** Granted without a role: to every authenticated caller, or to everybody. */
  readonly open?: 'signed_in' | 'anyone';
}

/** For operations on what is the caller's own. */
export const signedIn: Permission = { name: 'signed_in', roles: [], open: 'signed_in' };

/** For operations that are public. */
export const anyone: Permission = { name: 'anyone', roles: [], open: 'anyone' };

/** Declares the permissions of one resource: names, and the roles that grant them. */
export const definePermissions = <const P extends string>(
  subject: string,
  roles: Readonly<Record<P, readonly string[]>>,
): Readonly<Record<P, Permission>> =>
  Object.fromEntries(
    Object.entries<readonly string[]>(roles).map(([name, all]) => [name, { name: `${subject}.${name}`, roles: all }]),
  ) as Record<P, Permission>;

/** Sources of roles. */
export interface RoleSources {
  /** System roles in the platform's tokens, mapped to feature roles (R-RBAC-01). */
  readonly system: Readonly<Record<string, readonly string[]>>;
  /** Names of stored role assignments, as in the tables of the old services, mapped to feature roles. */
  readonly stored: Readonly<Record<string, string>>;
  /** Feature roles of service accounts, by the setting that names the account. */
  readonly accounts?: Readonly<Record<string, string>>;
}
