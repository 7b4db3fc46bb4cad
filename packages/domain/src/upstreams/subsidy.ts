import type { Cache } from '../kernel/cache/cache.ts';
import type { Ledger, Reservations } from '../kernel/ports/ledger.ts';
import type { Upstream } from './http.ts';
import { readBooks } from './subsidy-books.ts';
import { makeDeposit } from './subsidy-deposit.ts';
import { rowOf, settleSpend } from './subsidy-spend.ts';

const SPEND_MS = 30_000;

/**
 * Ledger port for an enterprise-subsidy service. It checks, charges and enrolls in one call; we store only the intent
 * with its key. So `hold` and `record` have nothing to do.
 */
export function httpLedger(
  call: Upstream,
  cache: Cache,
  reservations: Reservations,
  { spendMs = SPEND_MS } = {},
): Ledger {
  const books = readBooks(call, cache);
  return {
    isOurs: false,

    async subsidies(uuids) {
      const records = Promise.all([...new Set(uuids)].map(books.find));
      const [found, reserved] = await Promise.all([records, reservations.of(uuids)]);
      return new Map(
        found.flatMap((each) =>
          each ? [[each.uuid, { ...each, reservedCents: reserved.get(each.uuid) ?? 0 }] as const] : [],
        ),
      );
    },

    async transactions({ subsidyUuids, lmsUserId, contentKeys }) {
      if (contentKeys.length === 0) return [];
      const found = await Promise.all(subsidyUuids.map((uuid) => books.ofLearnerOrNone(uuid, lmsUserId, contentKeys)));
      return found
        .flat()
        .sort((a, b) => a.created.getTime() - b.created.getTime() || (a.uuid < b.uuid ? -1 : Number(a.uuid > b.uuid)));
    },

    hold: async () => null,

    reserve: async (trx, subsidy, cents) => ((await reservations.add(trx, subsidy, cents)) ? null : 'insufficient'),

    release: (trx, subsidyUuid, cents) => reservations.remove(trx, subsidyUuid, cents),

    async settle(spend) {
      try {
        return await settleSpend(call, books, spend, spendMs);
      } finally {
        books.forget(spend.subsidyUuid, spend.policyUuid);
      }
    },

    async record(trx, spend, settlement) {
      // Release the reservation only now, after the remote balance was charged.
      if (spend.assignmentUuid !== null) await reservations.remove(trx, spend.subsidyUuid, spend.priceCents);
      return { transaction: rowOf(settlement), events: [] };
    },

    async deposit(request) {
      try {
        await makeDeposit(call, books, request);
      } finally {
        books.forget(request.subsidyUuid);
      }
    },

    enrollmentCounts: books.enrollmentCounts,
    spentCents: books.spentCents,
  };
}
