import type { Connection } from '@enterprise-access/db';

/** A stored total that differs from the recount. Amounts in US cents. */
export interface Discrepancy {
  readonly what:
    | 'policy'
    | 'allocated'
    | 'reserved'
    | 'assignment_counts'
    | 'learner_share'
    | 'ledger_balance'
    | 'ledger_deposits'
    | 'over_limit'
    | 'redemption';
  readonly id: string;
  readonly stored: number;
  readonly counted: number;
}

interface Pair {
  readonly id: string;
  readonly stored_value: number | null;
  readonly counted: number | null;
}

const STANDING = "t.lms_user_id is not null and not t.is_reversed and t.state in ('created', 'pending', 'committed')";

/** One query per stored total that compares it with the sum of its entries. */
const comparisons: Readonly<Record<Discrepancy['what'], string>> = {
  policy: `select p.uuid as id, p.spent_cents as stored_value, coalesce(sum(-t.quantity_cents), 0) as counted
    from policies p left join ledger_transactions t on t.subsidy_access_policy_uuid = p.uuid and ${STANDING}
    group by p.uuid, p.spent_cents`,
  allocated: `select p.uuid as id, p.allocated_cents as stored_value, coalesce(sum(a.price_cents), 0) as counted
    from policies p left join assignments a on a.assignment_configuration_uuid = p.assignment_configuration_uuid
      and a.state = 'allocated' and a.redemption_uuid is null
    group by p.uuid, p.allocated_cents`,
  reserved: `select l.uuid as id, l.reserved_cents as stored_value, coalesce(sum(p.allocated_cents), 0) as counted
    from ledgers l join subsidies s on s.ledger_uuid = l.uuid left join policies p on p.subsidy_uuid = s.uuid
    group by l.uuid, l.reserved_cents`,
  assignment_counts: `select concat(c.assignment_configuration_uuid, ' ', c.content_key, ' ', c.status_class) as id, c.n as stored_value,
      (select count(*) from assignments a where a.assignment_configuration_uuid = c.assignment_configuration_uuid
        and a.status_class = c.status_class and (c.content_key = '' or a.content_key = c.content_key)) as counted
    from assignment_counts c`,
  learner_share: `select concat(b.policy_uuid, ':', b.lms_user_id) as id, b.spent_cents as stored_value, coalesce(sum(-t.quantity_cents), 0) as counted
    from policy_learner_budgets b left join ledger_transactions t
      on t.subsidy_access_policy_uuid = b.policy_uuid and t.lms_user_id = b.lms_user_id and ${STANDING}
    group by b.policy_uuid, b.lms_user_id, b.spent_cents`,
  ledger_balance: `select l.uuid as id, l.balance_cents as stored_value, coalesce(sum(t.quantity_cents), 0) as counted
    from ledgers l left join ledger_transactions t on t.ledger_uuid = l.uuid and not t.is_reversed and t.state <> 'failed'
    group by l.uuid, l.balance_cents`,
  ledger_deposits: `select l.uuid as id, l.deposits_cents as stored_value, coalesce(sum(t.quantity_cents), 0) as counted
    from ledgers l left join ledger_deposits d on d.ledger_uuid = l.uuid
      left join ledger_transactions t on t.uuid = d.transaction_uuid and not t.is_reversed and t.state = 'committed'
    group by l.uuid, l.deposits_cents`,
  over_limit: `select p.uuid as id, case when p.spent_cents + p.allocated_cents > p.spend_limit_cents then p.spent_cents + p.allocated_cents else p.spend_limit_cents end as stored_value,
      p.spend_limit_cents as counted
    from policies p where p.spend_limit_cents is not null`,
  redemption: `select r.uuid as id, r.price_cents as stored_value, coalesce(sum(-t.quantity_cents), 0) as counted
    from redemptions r left join ledger_transactions t on t.uuid = r.transaction_uuid and ${STANDING}
    where r.state = 'committed' group by r.uuid, r.price_cents`,
};

const rowsOf = (result: unknown): Pair[] =>
  Array.isArray(result) ? (result[0] as Pair[]) : (result as { rows: Pair[] }).rows;

/**
 * Recounts all totals of the embedded ledger and of policies, and returns the differences. Reads whole tables: for
 * operators and tests, never in a request.
 */
export async function auditBooks(db: Connection): Promise<Discrepancy[]> {
  const found: Discrepancy[] = [];
  for (const [what, sql] of Object.entries(comparisons) as [Discrepancy['what'], string][]) {
    for (const { id, stored_value: stored, counted } of rowsOf(await db.raw(sql))) {
      if (Number(stored) !== Number(counted))
        found.push({ what, id, stored: Number(stored), counted: Number(counted) });
    }
  }
  return found;
}
