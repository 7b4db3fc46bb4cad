import type { Database } from '@enterprise-access/db';
import { auditBooks } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { expect } from 'vitest';
import { find } from '../../packages/domain/src/policies/store.ts';
import type { PolicyRow } from '../../packages/domain/src/policies/tables.ts';
import { viewsOf } from '../../packages/domain/src/policies/view.ts';

interface Sums {
  readonly spentCents: number;
  readonly allocatedCents: number;
  /** Of the whole subsidy. */
  readonly balanceCents: number;
  readonly reservedCents: number;
}

const total = async (query: { first(): Promise<{ total?: unknown } | undefined> }): Promise<number> =>
  Number((await query.first())?.total ?? 0);

/** What the entries say, one by one; no stored total is asked. */
async function sumsOf(db: Database, { uuid, subsidyUuid, assignmentConfigurationUuid }: PolicyRow): Promise<Sums> {
  const entries = () => db('ledger_transactions').where({ is_reversed: false });
  const allocatedOf = (configurations: unknown) =>
    total(
      db('assignments')
        .whereIn('assignment_configuration_uuid', configurations as never)
        .where({ state: 'allocated' })
        .whereNull('redemption_uuid')
        .sum({ total: 'price_cents' }),
    );
  const ledger = db('subsidies').where({ uuid: subsidyUuid }).select('ledger_uuid');
  return {
    spentCents:
      0 -
      (await total(
        entries()
          .where({ subsidy_access_policy_uuid: uuid })
          .whereNotNull('lms_user_id')
          .whereIn('state', ['created', 'pending', 'committed'])
          .sum({ total: 'quantity_cents' }),
      )),
    allocatedCents: await allocatedOf([assignmentConfigurationUuid].filter((each) => each !== null)),
    balanceCents: await total(
      entries().whereIn('ledger_uuid', ledger).whereNot({ state: 'failed' }).sum({ total: 'quantity_cents' }),
    ),
    reservedCents: await allocatedOf(
      db('policies')
        .where({ subsidy_uuid: subsidyUuid })
        .whereNotNull('assignment_configuration_uuid')
        .select('assignment_configuration_uuid'),
    ),
  };
}

/** R-POL-12, from the entries. */
function available({ spendLimitCents: limit }: PolicyRow, sums: Sums): number {
  const inSubsidy = sums.balanceCents - sums.reservedCents;
  const withinLimit = limit === null ? inSubsidy : limit - sums.spentCents - sums.allocatedCents;
  return Math.max(0, Math.min(withinLimit, inSubsidy));
}

/** The totals that administrators see of every policy are the sums of the entries, and all other books agree too. */
export async function assertTotals(db: Database): Promise<void> {
  expect(await auditBooks(db)).toEqual([]);
  const runtime = testRuntime(db, emptyWorld());
  for (const { uuid } of (await db('policies').select('uuid')) as { uuid: string }[]) {
    const row = await find(db, uuid);
    const [shown] = row ? await viewsOf(runtime, [row]) : [];
    if (!row || !shown) continue;
    const sums = await sumsOf(db, row);
    expect({
      policy: uuid,
      spentCents: shown.spentCents,
      allocatedCents: shown.allocatedCents,
      spendAvailableCents: shown.spendAvailableCents,
    }).toEqual({
      policy: uuid,
      spentCents: sums.spentCents,
      allocatedCents: sums.allocatedCents,
      spendAvailableCents: shown.spendAvailableCents === null ? null : available(row, sums),
    });
  }
}
