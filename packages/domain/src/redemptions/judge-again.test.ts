import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocationCheckNames, allocationDecision } from '../assignments/decide.ts';
import { allocationChecks } from '../assignments/price.ts';
import type { Decision } from '../decisions/index.ts';
import type { PolicyRow } from '../policies/index.ts';
import { service } from '../service.ts';
import { decided, decidedRequest, factsOf, redemptionCheckNames, requestCheckNames, storedFacts } from './decide.ts';
import { checksOf, judgedAgain } from './judge-again.ts';
import { checks, type Facts, refusal, requestChecks, verdicts } from './rules.ts';

const deps = {
  clock: () => new Date('2026-06-01T12:00:00Z'),
  settings: service.settings.standard() as never,
};
const about = { enterpriseCustomerUuid: 'c', lmsUserId: 1, contentKey: 'course-v1:edX+DemoX+1' };

/** What a database gives back. */
const stored = (decision: Decision | null): Decision => {
  if (!decision) throw new Error('No decision is kept.');
  return { ...decision, facts: JSON.parse(JSON.stringify(decision.facts)), checks: { ...decision.checks } };
};

const cents = fc.integer({ min: 0, max: 1_500 });
const limit = fc.option(fc.integer({ min: 0, max: 3_000 }));
// Few values, so that every check is met from both sides and at its edge.
const instant = fc.integer({ min: -3, max: 3 }).map((days) => new Date(1_780_000_000_000 + days * 86_400_000));
const group = fc.constantFrom('g1', 'g2', 'g3');

const mostly = (share: number) => fc.integer({ min: 1, max: 100 }).map((n) => n <= share);

const anyFacts: fc.Arbitrary<Facts> = fc.record({
  now: instant,
  policy: fc.record({
    uuid: fc.uuid(),
    policyType: fc.constantFrom(
      'PerLearnerSpendCreditAccessPolicy',
      'PerLearnerEnrollmentCreditAccessPolicy',
      'AssignedLearnerCreditAccessPolicy',
    ),
    active: mostly(95),
    retired: mostly(5),
    lateRedemptionAllowedUntil: fc.option(instant),
    spendLimitCents: limit,
    spentCents: cents,
    allocatedCents: cents,
    perLearnerEnrollmentLimit: fc.option(fc.integer({ min: 0, max: 4 })),
    perLearnerSpendLimitCents: limit,
    accessMethod: fc.constantFrom('direct', 'direct', 'direct', 'assigned', 'request'),
    learnerCreditRequestConfigUuid: fc.option(fc.uuid(), { freq: 1 }),
  }),
  policyGroups: fc.array(fc.option(group, { freq: 9 }), { maxLength: 2 }),
  learnerGroups: fc.option(fc.array(group, { maxLength: 3 }), { freq: 20 }),
  inCatalog: mostly(95),
  content: fc.option(fc.record({ priceCents: fc.option(cents, { freq: 9 }), enrollByDate: fc.option(instant) }), {
    freq: 20,
  }),
  subsidy: fc.option(
    fc.record({
      activeDatetime: fc.option(instant.map((at) => new Date(at.getTime() - 3 * 86_400_000))),
      expirationDatetime: fc.option(instant.map((at) => new Date(at.getTime() + 3 * 86_400_000))),
      balanceCents: fc.integer({ min: 0, max: 5_000 }),
      reservedCents: cents,
    }),
    { freq: 20 },
  ),
  assignment: fc.option(
    fc.record({
      uuid: fc.uuid(),
      state: fc.constantFrom('allocated', 'allocated', 'accepted', 'cancelled', 'errored', 'expired', 'reversed'),
      redemptionUuid: fc.option(fc.uuid(), { freq: 1 }),
      priceCents: cents,
    }),
  ),
  learnerSpentCents: cents,
  learnerRedemptionCount: fc.integer({ min: 0, max: 4 }),
  skipsDeadline: fc.boolean(),
}) as fc.Arbitrary<Facts>;

const RUNS = 10_000;
const sample = fc.sample(anyFacts, { numRuns: RUNS, seed: 14 });

test('10,000 stored decisions judged again give the same verdict each, with the same inputs of every check', () => {
  const reasons = new Set<string | null>();
  for (const facts of sample) {
    const decision = stored(decided(deps, { ...about, kind: 'redeem', facts }, {}));
    const reason = refusal(facts);
    reasons.add(reason);
    expect(decision.reason).toBe(reason);
    expect(judgedAgain(decision)).toEqual({ was: reason, is: reason });
    const expected = verdicts(facts).map(({ reason: name, ...check }) => ({ name, ...check }));
    expect(checksOf(decision)).toEqual(expected);
  }
  // The sample means something: it is allowed now and then, and nearly every check refuses.
  expect(reasons.has(null)).toBe(true);
  expect(reasons.size).toBeGreaterThanOrEqual(checks.length);
});

test('facts come back as they were judged', () => {
  for (const facts of sample.slice(0, 1_000))
    expect(factsOf(JSON.parse(JSON.stringify(storedFacts(facts))))).toEqual(facts);
});

test('a changed fact is another verdict exactly where the rules say so', () => {
  let changed = 0;
  for (const facts of sample) {
    const decision = stored(decided(deps, { ...about, kind: 'redeem', facts }, {}));
    const later = { ...facts, policy: { ...facts.policy, spendLimitCents: 0 } };
    const is = refusal(later);
    const again = judgedAgain({ ...decision, facts: JSON.parse(JSON.stringify(storedFacts(later))) });
    expect(again).toEqual({ was: decision.reason, is });
    if (again?.was !== again?.is) changed += 1;
  }
  expect(changed).toBeGreaterThan(100);
});

test('what the reservation refused had passed the checks', () => {
  const facts = sample.find((each) => refusal(each) === null) ?? expect.unreachable();
  const end = { reason: 'policy_spend_limit_reached', by: 'reservation' } as const;
  const decision = stored(decided(deps, { ...about, kind: 'redeem', facts }, end));
  expect(decision).toMatchObject({ verdict: 'refused', reason: 'policy_spend_limit_reached' });
  expect(judgedAgain(decision)).toEqual({ was: null, is: null });
});

test('facts of an unknown form are not judged', () => {
  const facts = sample[0] ?? expect.unreachable();
  const decision = stored(decided(deps, { ...about, kind: 'redeem', facts }, {}));
  expect(judgedAgain({ ...decision, facts: { ...decision.facts, v: 99 } })).toBeUndefined();
});

test('allocations and requests are judged again as they were', () => {
  const flag = fc.boolean();
  const policies = fc.record({ active: mostly(80), retired: mostly(20) });
  const allocations = fc.record({
    policy: policies,
    contentKey: fc.constant('edX+DemoX'),
    requestedCents: fc.integer({ min: -5, max: 120 }),
    canonicalCents: fc.option(fc.integer({ min: 0, max: 120 })),
    inCatalog: mostly(80),
    isSubsidyActive: flag,
    lowerRatio: fc.constantFrom(0, 0.95),
    upperRatio: fc.constantFrom(1.05, 100),
  });
  const policy = { uuid: 'p', enterpriseCustomerUuid: 'c' } as PolicyRow;
  const reasons = new Set<string | null>();
  for (const facts of fc.sample(allocations, { numRuns: 2_000, seed: 14 })) {
    const decision = stored(allocationDecision(deps, { policy, contentKey: facts.contentKey, facts }));
    reasons.add(decision.reason);
    expect(judgedAgain(decision)).toEqual({ was: decision.reason, is: decision.reason });
    expect(checksOf(decision).filter(({ verdict }) => verdict === 'failed')[0]?.name ?? null).toBe(decision.reason);
  }
  expect(reasons.size).toBe(allocationChecks.length + 1);
  for (const facts of [
    { policies: 0, taking: 0 },
    { policies: 2, taking: 0 },
    { policies: 2, taking: 1 },
  ]) {
    const decision = stored(decidedRequest(deps, { ...about, facts }));
    expect(judgedAgain(decision)).toEqual({ was: decision.reason, is: decision.reason });
  }
});

test('the latest version of the stored checks is that of the rules: a change needs a new version', () => {
  const latest = (names: Readonly<Record<number, readonly string[]>>) => Object.values(names).at(-1);
  expect(latest(redemptionCheckNames)).toEqual(checks.map(({ reason }) => reason));
  expect(latest(requestCheckNames)).toEqual(requestChecks.map(({ name }) => name));
  expect(latest(allocationCheckNames)).toEqual(allocationChecks.map(({ name }) => name));
});

test('the checks of a version that has stored decisions stay as they are', () => {
  const digestOf = (names: readonly string[]) => createHash('sha256').update(names.join()).digest('hex').slice(0, 16);
  const digests = (versions: Readonly<Record<number, readonly string[]>>) =>
    Object.fromEntries(Object.entries(versions).map(([version, names]) => [version, digestOf(names)]));
  // Add a line for a new version; a changed line would read old decisions by the names of others.
  expect(digests(redemptionCheckNames)).toEqual({ 1: '0c3134e1eb444f20' });
  expect(digests(allocationCheckNames)).toEqual({ 1: '9a068fc70e27e9a6' });
  expect(digests(requestCheckNames)).toEqual({ 1: '22616cb686531b96', 2: '636b2b8c36b276f4' });
});
