import type { Cache, CacheKind } from '../kernel/cache/cache.ts';
import { numbersByNumber } from '../kernel/cache/shapes.ts';
import type { LedgerTransaction, Subsidy } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';
import { countsReply, subsidyListReply, subsidyReply, totalReply, transactionPage } from './subsidy-replies.ts';

export const SERVICE = 'subsidy';
/** Short, because balances change with every spend; only merges concurrent reads. */
const SUBSIDY_MS = 1_000;
const COUNTS_MS = 600_000;
const COUNTS_STALE_MS = 5_000;
const PAGE_SIZE = 100;
const MAXIMUM_PAGES = 100;
const STATES = ['created', 'pending', 'committed', 'failed'];
/** Timeout for reading one subsidy, in ms, so that an unavailable ledger does not slow down policy lists. */
const RECORD_MS = 3_000;

/** Not shared: one second is not worth a round trip. */
const subsidyKind: CacheKind<Subsidy | null> = { name: 'subsidy:record', version: 1, ttlMs: () => SUBSIDY_MS };

const countsKind: CacheKind<ReadonlyMap<number, number>> = {
  name: 'subsidy:counts',
  version: 1,
  shape: numbersByNumber,
  ttlMs: (counts) => (counts.size === 0 ? SUBSIDY_MS : COUNTS_MS),
  staleMs: COUNTS_STALE_MS,
};
const countsId = (subsidyUuid: string, policyUuid: string) => `${subsidyUuid}:${policyUuid}`;

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export const transactionsPath = (subsidyUuid: string) => path`/api/v2/subsidies/${subsidyUuid}/admin/transactions/`;

/** The service answers 403 both for unknown subsidies and for missing permissions. */
export const mayBeUnknown = (error: unknown): error is UpstreamRefusal =>
  error instanceof UpstreamRefusal && (error.status === 403 || error.status === 404);

/** Reads the ledger after a refusal. If access is denied, the result is unknown. */
export async function fromBooks<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UpstreamRefusal)) throw error;
    throw new UpstreamFailure(SERVICE, 'refused, and does not let us see its books', { cause: error });
  }
}

export type Books = ReturnType<typeof readBooks>;

/** Reads of an enterprise-subsidy service. */
export function readBooks(call: Upstream, cache: Cache) {
  const find = (uuid: string): Promise<Omit<Subsidy, 'reservedCents'> | null> =>
    cache.wrap(subsidyKind, uuid, async () => {
      try {
        return await call({ path: path`/api/v1/subsidies/${uuid}/`, reply: subsidyReply, atMostMs: RECORD_MS });
      } catch (error) {
        if (!mayBeUnknown(error)) throw error;
        // Empty list: the subsidy does not exist. A row or another refusal: we lack the permission.
        const { count } = await call({ path: path`/api/v1/subsidies/`, query: { uuid }, reply: subsidyListReply });
        if (count === 0) return null;
        throw error;
      }
    });

  /** Returns the result, or `none` if the subsidy does not exist. */
  async function orNone<T>(subsidyUuid: string, none: T, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (mayBeUnknown(error) && (await find(subsidyUuid)) === null) return none;
      throw error;
    }
  }

  async function* pages(subsidyUuid: string, query: Query) {
    for (let page = 1; page <= MAXIMUM_PAGES; page += 1) {
      const found = await call({
        path: transactionsPath(subsidyUuid),
        query: { ...query, page, page_size: PAGE_SIZE },
        reply: transactionPage,
      });
      yield found.results.map((row) => ({ ...row, subsidyUuid }));
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
      // Oldest first, so that new rows do not shift pages that were read.
      ordering: 'created',
    };
    for await (const rows of pages(subsidyUuid, query)) {
      found.push(...rows.filter(({ contentKey }) => contentKey !== null && contentKeys.includes(contentKey)));
    }
    return found;
  }

  return {
    find,

    /** The learner's transactions for the content, in any state. Throws `UpstreamRefusal`. */
    ofLearner,

    /** Like `ofLearner`; empty if the subsidy does not exist. */
    ofLearnerOrNone: (subsidyUuid: string, lmsUserId: number, contentKeys: readonly string[]) =>
      orNone(subsidyUuid, [], ofLearner(subsidyUuid, lmsUserId, contentKeys)),

    /** Whether a deposit with this key exists. Deposits are the only transactions with a positive quantity. */
    async hasDeposit(subsidyUuid: string, idempotencyKey: string): Promise<boolean> {
      for await (const rows of pages(subsidyUuid, { ordering: '-quantity' })) {
        const deposits = rows.filter(({ quantityCents }) => quantityCents > 0);
        if (deposits.some((row) => row.idempotencyKey === idempotencyKey)) return true;
        if (deposits.length < rows.length) return false;
      }
      return false;
    },

    enrollmentCounts: (subsidyUuid: string, policyUuid: string) =>
      cache.wrap(countsKind, countsId(subsidyUuid, policyUuid), async () => {
        const query = { subsidy_access_policy_uuid: policyUuid };
        const work = call({
          path: path`/api/v1/subsidies/${subsidyUuid}/aggregates-by-learner`,
          query,
          reply: countsReply,
        });
        const counts = await orNone(subsidyUuid, [], work);
        return new Map(counts.map(({ lms_user_id, total }) => [lms_user_id, total]));
      }),

    async spentCents(subsidyUuid: string, policyUuid: string): Promise<number> {
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

    /** Invalidates the balance after a change. */
    forget(subsidyUuid: string, policyUuid?: string): void {
      cache.forget(subsidyKind, subsidyUuid);
      if (policyUuid !== undefined) cache.forget(countsKind, countsId(subsidyUuid, policyUuid));
    },
  };
}
