import type { Connection } from '@enterprise-access/db';
import { isSubsidyActive, type Subsidy } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { Policy } from './contract.ts';
import { isLateRedemptionAllowed, spendAvailable } from './rules.ts';
import { groupsOf, limitsBySubsidy } from './store.ts';
import type { PolicyRow } from './tables.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger'>;

/** Policies with all reply fields, in a constant number of statements. */
export async function viewsOf(deps: Deps, rows: readonly PolicyRow[], db: Connection = deps.db): Promise<Policy[]> {
  const [first] = rows;
  if (!first) return [];
  const subsidyUuids = [...new Set(rows.map((row) => row.subsidyUuid))];
  const [groups, limits, subsidies] = await Promise.all([
    groupsOf(
      db,
      rows.map((row) => row.uuid),
    ),
    limitsBySubsidy(db, first.enterpriseCustomerUuid, subsidyUuids),
    orUnavailable(deps.ledger.subsidies(subsidyUuids)),
  ]);
  const now = deps.clock();
  return rows.map((row) =>
    viewOf(row, {
      now,
      groups: groups.get(row.uuid) ?? [],
      limitsCents: limits.get(row.subsidyUuid) ?? 0,
      subsidy: subsidies.get(row.subsidyUuid) ?? null,
    }),
  );
}

function viewOf(
  row: PolicyRow,
  facts: { now: Date; groups: readonly (string | null)[]; limitsCents: number; subsidy: Subsidy | null },
): Policy {
  const { now, groups, limitsCents, subsidy } = facts;
  return {
    uuid: row.uuid,
    policyType: row.policyType,
    displayName: row.displayName,
    description: row.description,
    active: row.active,
    retired: row.retired,
    retiredAt: row.retiredAt,
    enterpriseCustomerUuid: row.enterpriseCustomerUuid,
    catalogUuid: row.catalogUuid,
    subsidyUuid: row.subsidyUuid,
    accessMethod: row.accessMethod,
    perLearnerEnrollmentLimit: row.perLearnerEnrollmentLimit,
    perLearnerSpendLimitCents: row.perLearnerSpendLimitCents,
    spendLimitCents: row.spendLimitCents,
    lateRedemptionAllowedUntil: row.lateRedemptionAllowedUntil,
    isLateRedemptionAllowed: isLateRedemptionAllowed(row.lateRedemptionAllowedUntil, now),
    subsidyActiveDatetime: subsidy?.activeDatetime ?? null,
    subsidyExpirationDatetime: subsidy?.expirationDatetime ?? null,
    isSubsidyActive: subsidy && isSubsidyActive(subsidy, now),
    spentCents: row.spentCents,
    allocatedCents: row.allocatedCents,
    spendAvailableCents:
      subsidy &&
      spendAvailable({
        ...row,
        subsidyBalanceCents: subsidy.balanceCents,
        subsidyReservedCents: subsidy.reservedCents,
      }),
    assignmentConfiguration:
      row.assignmentConfigurationUuid === null
        ? null
        : {
            uuid: row.assignmentConfigurationUuid,
            subsidyAccessPolicy: row.uuid,
            enterpriseCustomerUuid: row.enterpriseCustomerUuid,
            active: true,
          },
    learnerCreditRequestConfigUuid: row.learnerCreditRequestConfigUuid,
    groupAssociations: groups.filter((uuid) => uuid !== null),
    bnrEnabled: row.learnerCreditRequestConfigUuid !== null,
    // The sum covers active policies only; for an inactive policy, add its own limit.
    totalSpendLimitsForSubsidyCents: limitsCents,
    totalDepositsForSubsidyCents: subsidy?.depositsCents ?? 0,
    created: row.created,
  };
}
