import { z } from 'zod';
import type { Cache, CacheKind } from '../kernel/cache/cache.ts';
import { numbersByNumber } from '../kernel/cache/shapes.ts';
import {
  type DepositRequest,
  type Ledger,
  LedgerRefusal,
  type LedgerTransaction,
  type Reservations,
  type Settlement,
  type Spend,
  type Subsidy,
} from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { knownCode, refusalOf, sentenceOf } from './subsidy-refusals.ts';
import {
  codeOf,
  countsReply,
  subsidyListReply,
  subsidyReply,
  totalReply,
  transactionPage,
  transactionReply,
} from './subsidy-replies.ts';

const SERVICE = 'subsidy';
/** Balances change with every spend; this only keeps a crowd of askers down to one call. */
const SUBSIDY_MS = 1_000;
const COUNTS_MS = 600_000;
const COUNTS_STALE_MS = 5_000;
const PAGE_SIZE = 100;
const MAXIMUM_PAGES = 100;
const STATES = ['created', 'pending', 'committed', 'failed'];
/** Whoever looks at a policy does not wait longer for its balance, in milliseconds. */
const RECORD_MS = 3_000;
const SPEND_MS = 30_000;
const PROVIDER = 'salesforce_opportunity_line_item';

const anything = z.unknown();

/** Not shared: a second is less than it is worth. */
const subsidyKind: CacheKind<Subsidy | null> = { name: 'subsidy:record', version: 1, ttlMs: () => SUBSIDY_MS };

const countsKind: CacheKind<ReadonlyMap<number, number>> = {
  name: 'subsidy:counts',
  version: 1,
  shape: numbersByNumber,
  ttlMs: (counts) => (counts.size === 0 ? SUBSIDY_MS : COUNTS_MS),
  staleMs: COUNTS_STALE_MS,
};
const countsId = (subsidyUuid: string, policyUuid: string) => `${subsidyUuid}:${policyUuid}`;

/** The service refuses what it does not know as it refuses what we may not see. */
const mayBeUnknown = (error: unknown): error is UpstreamRefusal =>
  error instanceof UpstreamRefusal && (error.status === 403 || error.status === 404);

/**
 * The ledger of an enterprise-subsidy service. It judges, charges and enrols in one call; what we keep of a spend is the
 * stored intent with its key. So there is nothing to hold before and nothing to record after that call.
 */
export function httpLedger(
  call: Upstream,
  cache: Cache,
  reservations: Reservations,
  { spendMs = SPEND_MS } = {},
): Ledger {
  const transactionsPath = (uuid: string) => `/api/v2/subsidies/${uuid}/admin/transactions/`;

  const find = (uuid: string): Promise<Omit<Subsidy, 'reservedCents'> | null> =>
    cache.wrap(subsidyKind, uuid, async () => {
      try {
        return await call({ path: `/api/v1/subsidies/${uuid}/`, reply: subsidyReply, atMostMs: RECORD_MS });
      } catch (error) {
        if (!mayBeUnknown(error)) throw error;
        // The list has no row for it, or refuses us as well: then it is we who may not look.
        const { count } = await call({ path: '/api/v1/subsidies/', query: { uuid }, reply: subsidyListReply });
        if (count === 0) return null;
        throw error;
      }
    });

  /** Of a subsidy that does not exist there is nothing. */
  async function orNone<T>(subsidyUuid: string, none: T, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (mayBeUnknown(error) && (await find(subsidyUuid)) === null) return none;
      throw error;
    }
  }

  async function* pages(subsidyUuid: string, query: Record<string, string | number | readonly string[] | undefined>) {
    for (let page = 1; page <= MAXIMUM_PAGES; page += 1) {
      const found = await call({
        path: transactionsPath(subsidyUuid),
        query: { ...query, page, page_size: PAGE_SIZE },
        reply: transactionPage,
      });
      yield found.results.map((row): LedgerTransaction => ({ ...row, subsidyUuid }));
      if (found.next === null) return;
    }
    throw new UpstreamFailure(SERVICE, 'has more transactions than can be read');
  }

  async function ofLearner(subsidyUuid: string, lmsUserId: number, contentKeys: readonly string[]) {
    const [only, ...others] = contentKeys;
    const found: LedgerTransaction[] = [];
    const query = {
      lms_user_id: lmsUserId,
      content_key: others.length === 0 ? only : undefined,
      state: STATES,
      // Rows that come in meanwhile are put behind the pages that are read already.
      ordering: 'created',
    };
    for await (const rows of pages(subsidyUuid, query)) {
      found.push(...rows.filter(({ contentKey }) => contentKey !== null && contentKeys.includes(contentKey)));
    }
    return found;
  }

  const create = async (spend: Spend): Promise<LedgerTransaction> => {
    const { subsidyUuid } = spend;
    const made = await call({
      method: 'POST',
      path: transactionsPath(spend.subsidyUuid),
      repeatable: true,
      timeoutMs: spendMs,
      body: {
        subsidy_uuid: spend.subsidyUuid,
        lms_user_id: spend.lmsUserId,
        content_key: spend.contentKey,
        subsidy_access_policy_uuid: spend.policyUuid,
        metadata: spend.metadata,
        idempotency_key: spend.idempotencyKey,
        // Both sides look the price up for themselves; named, it is what our budget has taken (R-LED-14).
        requested_price_cents: spend.priceCents,
      },
      reply: transactionReply,
    });
    return { ...made, subsidyUuid };
  };

  /** What the books say after a refusal. Books that are closed to us say nothing. */
  async function fromBooks<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof UpstreamRefusal)) throw error;
      throw new UpstreamFailure(SERVICE, 'refused, and does not let us see its books', { cause: error });
    }
  }

  async function madeUnder({ subsidyUuid, lmsUserId, contentKey, idempotencyKey }: Spend) {
    const made = await fromBooks(ofLearner(subsidyUuid, lmsUserId, [contentKey]));
    return made.find((row) => row.idempotencyKey === idempotencyKey);
  }

  /**
   * A refusal is about this request, not about the key: an earlier attempt whose answer was lost may have spent, and the
   * service checks window, balance and permission before it looks at keys. So the books decide.
   */
  async function settle(spend: Spend): Promise<Settlement> {
    try {
      return settlementOf(spend, await create(spend));
    } catch (error) {
      if (!(error instanceof UpstreamRefusal)) throw error;
      const made = await madeUnder(spend);
      if (made && made.state !== 'failed') return settlementOf(spend, made);
      // That we may not ask says nothing about the spend.
      if (error.status === 403) throw new UpstreamFailure(SERVICE, 'does not let us spend', { cause: error });
      return refusalOf(error.status, codeOf(error.body));
    }
  }

  /** Deposits are the only positive quantities. */
  async function hasDeposit({ subsidyUuid, idempotencyKey }: DepositRequest): Promise<boolean> {
    for await (const rows of pages(subsidyUuid, { ordering: '-quantity' })) {
      const deposits = rows.filter(({ quantityCents }) => quantityCents > 0);
      if (deposits.some((row) => row.idempotencyKey === idempotencyKey)) return true;
      if (deposits.length < rows.length) return false;
    }
    return false;
  }

  async function deposit(request: DepositRequest): Promise<void> {
    const { subsidyUuid } = request;
    try {
      await call({
        method: 'POST',
        path: `/api/v2/subsidies/${subsidyUuid}/admin/deposits/`,
        repeatable: true,
        body: {
          desired_deposit_quantity: request.quantityCents,
          sales_contract_reference_id: request.salesContractReferenceId,
          sales_contract_reference_provider: PROVIDER,
          idempotency_key: request.idempotencyKey,
        },
        reply: anything,
      });
    } catch (error) {
      if (!(error instanceof UpstreamRefusal)) throw error;
      if (mayBeUnknown(error) && (await fromBooks(find(subsidyUuid))) === null) {
        throw new LedgerRefusal('subsidy_not_found', 'The subsidy does not exist.');
      }
      // Some versions of the service refuse a key that they have seen.
      if (await fromBooks(hasDeposit(request))) return;
      const code = knownCode(codeOf(error.body), 'deposit_creation_error');
      // That we may not ask says nothing about the deposit; and "not made" is also what a busy ledger answers.
      const isBusy = error.status === 422 && code === 'deposit_creation_error';
      if (error.status === 403 || isBusy) {
        throw new UpstreamFailure(SERVICE, 'did not make the deposit', { cause: error });
      }
      throw new LedgerRefusal(code, sentenceOf(code), error.status);
    }
  }

  return {
    isOurs: false,

    async subsidies(uuids) {
      const [found, reserved] = await Promise.all([Promise.all([...new Set(uuids)].map(find)), reservations.of(uuids)]);
      return new Map(
        found.flatMap((each) =>
          each ? [[each.uuid, { ...each, reservedCents: reserved.get(each.uuid) ?? 0 }] as const] : [],
        ),
      );
    },

    async transactions({ subsidyUuids, lmsUserId, contentKeys }) {
      if (contentKeys.length === 0) return [];
      const found = await Promise.all(
        subsidyUuids.map((uuid) => orNone(uuid, [], ofLearner(uuid, lmsUserId, contentKeys))),
      );
      return found
        .flat()
        .sort((a, b) => a.created.getTime() - b.created.getTime() || (a.uuid < b.uuid ? -1 : Number(a.uuid > b.uuid)));
    },

    hold: async () => null,

    earmark: async (trx, { uuid, balanceCents }, cents) =>
      (await reservations.add(trx, uuid, cents, balanceCents)) ? null : 'insufficient',

    release: (trx, subsidyUuid, cents) => reservations.remove(trx, subsidyUuid, cents),

    async settle(spend) {
      try {
        return await settle(spend);
      } finally {
        cache.forget(subsidyKind, spend.subsidyUuid);
        cache.forget(countsKind, countsId(spend.subsidyUuid, spend.policyUuid));
      }
    },

    async record(trx, spend, settlement) {
      // Only now the balance over there is without the price that was held for the assignment.
      if (spend.assignmentUuid !== null) await reservations.remove(trx, spend.subsidyUuid, spend.priceCents);
      return { transaction: rowOf(settlement), events: [] };
    },

    async deposit(request) {
      try {
        await deposit(request);
      } finally {
        cache.forget(subsidyKind, request.subsidyUuid);
      }
    },

    enrollmentCounts: (subsidyUuid, policyUuid) =>
      cache.wrap(countsKind, countsId(subsidyUuid, policyUuid), async () => {
        const path = `/api/v1/subsidies/${subsidyUuid}/aggregates-by-learner`;
        const query = { subsidy_access_policy_uuid: policyUuid };
        const counts = await orNone(subsidyUuid, [], call({ path, query, reply: countsReply }));
        return new Map(counts.map(({ lms_user_id, total }) => [lms_user_id, total]));
      }),

    async spentCents(subsidyUuid, policyUuid) {
      const query = {
        subsidy_access_policy_uuid: policyUuid,
        state: STATES.filter((state) => state !== 'failed'),
        include_aggregates: 'True',
        page_size: 1,
      };
      const none = { aggregates: { total_quantity: 0 } };
      const work = call({ path: transactionsPath(subsidyUuid), query, reply: totalReply });
      const { aggregates } = await orNone(subsidyUuid, none, work);
      // Zero, not minus zero.
      return 0 - (aggregates.total_quantity ?? 0);
    },
  };
}

/** The service tells its own events; what is left for us is the row that answers the learner. */
function rowOf(settlement: Settlement): LedgerTransaction | null {
  if (settlement.outcome === 'standing') return settlement.transaction;
  return settlement.outcome === 'committed' ? (settlement.remote ?? null) : null;
}

/** What the row under discussion says of the spend. */
function settlementOf(spend: Spend, made: LedgerTransaction): Settlement {
  if (made.state === 'created' || made.state === 'pending') {
    // The value is taken and the learner perhaps enrolled: only the service can say how it ends.
    throw new UpstreamFailure(SERVICE, 'has not finished the transaction yet');
  }
  if (made.state === 'failed') return refusalOf(422, null);
  // Somebody gave the value back before we heard that it was spent.
  if (made.reversal?.state === 'committed') return refusalOf(422, 'transaction_reversed');
  if (made.idempotencyKey !== spend.idempotencyKey) return { outcome: 'standing', transaction: made };
  return {
    outcome: 'committed',
    transactionUuid: made.uuid,
    fulfillmentIdentifier: made.fulfillmentIdentifier,
    remote: made,
  };
}
