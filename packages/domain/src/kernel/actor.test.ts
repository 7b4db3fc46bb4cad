import { describe, expect, test } from 'vitest';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { service } from '../service.ts';
import { type Actor, isPermitted } from './actor.ts';
import type { Permission } from './permissions.ts';

const { grantOfAssignment, grantsOfToken } = service;

const A = '11111111-1111-4111-8111-11111111111a';
const B = '22222222-2222-4222-8222-22222222222b';
const READ = policyPermissions.has_read_access;
const WRITE = policyPermissions.has_write_access;
const ALLOCATE = policyPermissions.has_allocation_access;
const REDEEM = policyPermissions.has_redemption_access;

const nobody: Actor = { userId: 1, username: 'x', lmsUserId: null, isStaff: false, isSuperuser: false, grants: [] };
const withRoles = (...roles: string[]): Actor => ({ ...nobody, grants: grantsOfToken(roles) });

// Worked examples 1 to 5 of the specification of authorization; null is an unknown or unnamed customer.
test.each<[number, string, Permission, string | null, boolean]>([
  [1, `enterprise_learner:${A}`, READ, A, true],
  [1, `enterprise_learner:${A}`, REDEEM, A, true],
  [1, `enterprise_learner:${A}`, READ, B, false],
  [1, `enterprise_learner:${A}`, READ, null, false],
  [1, `enterprise_learner:${A}`, ALLOCATE, A, false],
  [2, `enterprise_admin:${A}`, WRITE, A, false],
  [2, `enterprise_admin:${A}`, ALLOCATE, A, true],
  [2, `enterprise_admin:${A}`, ALLOCATE, B, false],
  [2, `enterprise_admin:${A}`, READ, null, false],
  [3, 'enterprise_openedx_operator:*', READ, A, true],
  [3, 'enterprise_openedx_operator:*', WRITE, B, true],
  [3, 'enterprise_openedx_operator:*', ALLOCATE, A, true],
  [3, 'enterprise_openedx_operator:*', READ, null, true],
  [4, `enterprise_provisioning_admin:${A}`, READ, A, false],
  [4, 'enterprise_provisioning_admin:*', WRITE, A, false],
  [5, 'enterprise_openedx_operator', READ, A, false],
  [5, 'enterprise_openedx_operator', READ, null, false],
])('R-RBAC-03, R-RBAC-05, example %i: %s with %s at %s is %s', (_example, role, permission, customer, expected) => {
  expect(isPermitted(withRoles(role), permission, customer)).toBe(expected);
});

describe('roles come from the token and from stored assignments', () => {
  test('R-RBAC-03: the context of a role is compared whatever its case', () => {
    expect(isPermitted(withRoles(`enterprise_learner:${A.toUpperCase()}`), READ, A)).toBe(true);
    const stored = grantOfAssignment('enterprise_access_subsidy_access_policy_learner', A.toUpperCase());
    expect(stored).toEqual({ role: 'policy_learner', context: A });
  });
  test('R-RBAC-01: the first colon ends the role, the rest is its context', () => {
    const contexts = grantsOfToken(['enterprise_learner:a:b']).map(({ context }) => context);
    expect([contexts.length > 0, new Set(contexts)]).toEqual([true, new Set(['a:b'])]);
  });
  test('R-RBAC-02: unknown roles grant nothing', () => {
    expect(grantsOfToken(['constructor:*', 'something', ''])).toEqual([]);
  });
  test('R-RBAC-04: a stored assignment without a customer counts everywhere', () => {
    const grant = grantOfAssignment('enterprise_access_subsidy_access_policy_operator', null);
    expect(grant).toEqual({ role: 'policy_operator', context: '*' });
    expect(grantOfAssignment('unknown', null)).toBeNull();
  });
  test('R-RBAC-07: a superuser may everything, staff alone nothing', () => {
    expect(isPermitted({ ...nobody, isSuperuser: true }, WRITE, null)).toBe(true);
    expect(isPermitted({ ...nobody, isStaff: true }, READ, A)).toBe(false);
  });
});
