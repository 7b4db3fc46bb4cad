import { describe, expect, test } from 'vitest';
import { brokenLockOrder, lockedTables } from './locks.ts';

describe('a statement locks', () => {
  test.each([
    ['update "policies" set "spent_cents" = spent_cents + $1 where "uuid" = $2', ['policies']],
    ['update `policies` set `active` = ?', ['policies']],
    ['insert into "redemptions" ("uuid") values ($1)', ['redemptions']],
    ['insert ignore into `policy_learner_budgets` (`policy_uuid`) values (?)', ['policy_learner_budgets']],
    ['insert into "ledgers" ("uuid") values ($1)', []],
    ['delete from `policy_groups` where `uuid` = ?', ['policy_groups']],
    ['select * from "policies" where "uuid" = $1', []],
    ['select * from "policies" where "uuid" = $1 for update', ['policies']],
    [
      'select `a`.`uuid` from `assignments` inner join `assignment_configurations` as `c` for update',
      ['assignments', 'assignment_configurations'],
    ],
    [
      'select 1 from "assignments" where "c" in (select "uuid" from "policies" where "a" = $1) for update',
      ['assignments'],
    ],
    [
      'select 1 from "assignments" inner join "assignment_configurations" as "c" on true for update of "assignments"',
      ['assignments'],
    ],
  ])('%s', (sql, tables) => {
    expect(lockedTables(sql)).toEqual(tables);
  });
});

describe('a transaction', () => {
  test.each([
    ['in the order', ['redemptions', 'audit_changes', 'policy_learner_budgets', 'ledgers', 'policies'], null],
    ['that comes back to rows it holds', ['redemptions', 'ledgers', 'outbox', 'redemptions'], null],
    ['of one table that is in no order', ['service_health'], null],
    [
      'that takes the policy before the share',
      ['policies', 'policy_learner_budgets'],
      'policy_learner_budgets is locked after policies',
    ],
    ['that takes a table without a place', ['policies', 'novelties'], 'novelties has no place in the lock order'],
    ['that begins with one', ['novelties', 'policies'], 'novelties has no place in the lock order'],
  ])('%s', (_case, tables, fault) => {
    expect(brokenLockOrder(tables)).toBe(fault);
  });
});
