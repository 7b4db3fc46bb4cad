import { expect, test } from 'vitest';
import type { Cache } from '../kernel/cache/cache.ts';
import type { Spend } from '../kernel/ports/ledger.ts';
import { UpstreamFailure } from '../kernel/ports/upstream.ts';
import { httpCatalog } from './catalog.ts';
import type { Upstream } from './http.ts';
import { httpLms } from './lms.ts';
import { httpLedger } from './subsidy.ts';

const uncached: Cache = { wrap: (_kind, _id, load) => load(), forget: () => undefined };
const ID = '4ca49903-b66a-4fe9-a139-79d829deb944';
const spend = { subsidyUuid: ID, lmsUserId: 1, contentKey: 'k', policyUuid: ID, idempotencyKey: 'k' } as Spend;
const deposit = { subsidyUuid: ID, quantityCents: 1, salesContractReferenceId: 'r', idempotencyKey: 'k' };
const reservations = { of: async () => new Map(), add: async () => true, remove: async () => undefined };

type Calls = (call: Upstream) => readonly (() => Promise<unknown>)[];
const clients: readonly [string, Calls][] = [
  [
    'the catalog',
    (call) => {
      const catalog = httpCatalog(call, uncached);
      return [
        () => catalog.contains(ID, 'k'),
        () => catalog.content(ID, 'k'),
        () => catalog.customerOf(ID),
        () => catalog.contentCount(ID),
        () => catalog.listPrice('k'),
      ];
    },
  ],
  [
    'the LMS',
    (call) => {
      const lms = httpLms(call, uncached);
      const enrollment = { lmsUserId: 1, courseRunKey: 'k', transactionUuid: ID, force: false };
      return [
        () => lms.customer(ID),
        () => lms.learner(ID, 1),
        () => lms.accountOf('a@test.example'),
        () => lms.addPendingLearner(ID, 'a@test.example'),
        () => lms.customerOfGroup(ID),
        () => lms.invitations(ID),
        () => lms.markUnreachable(ID, 'a@test.example', new Date(0)),
        () => lms.enroll(ID, enrollment),
        () => lms.cancelFulfillment(ID),
      ];
    },
  ],
  [
    'the subsidy service',
    (call) => {
      const ledger = httpLedger(call, uncached, reservations);
      return [
        () => ledger.subsidies([ID]),
        () => ledger.transactions({ subsidyUuids: [ID], lmsUserId: 1, contentKeys: ['k'] }),
        () => ledger.settle(spend),
        () => ledger.deposit(deposit),
        () => ledger.enrollmentCounts(ID, ID),
        () => ledger.spentCents(ID, ID),
      ];
    },
  ],
];

// Building a schema costs hundreds of times as much as using it.
test.each(clients)('%s is read by schemas that are built once, not for each call', async (_name, callsOf) => {
  const schemas: unknown[] = [];
  const silent: Upstream = (call) => {
    schemas.push(call.reply);
    return Promise.reject(new UpstreamFailure('test', 'does not answer'));
  };
  const calls = callsOf(silent);
  for (const call of calls) await expect(call()).rejects.toThrow(UpstreamFailure);
  const first = schemas.splice(0);
  for (const call of calls) await expect(call()).rejects.toThrow(UpstreamFailure);
  expect(first).toHaveLength(calls.length);
  expect(schemas.map((schema, at) => schema === first[at])).toEqual(first.map(() => true));
});
