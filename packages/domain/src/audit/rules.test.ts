import { describe, expect, test } from 'vitest';
import { fieldWords, sentenceOf, valueWords } from './rules.ts';

const entry = {
  operation: 'policies.update',
  source: 'rest',
  actor: { kind: 'administrator', role: 'assignments_admin', userId: 42 },
  reason: null,
} as const;
const change = {
  subjectKind: 'policy',
  action: 'updated',
  note: null,
  before: { spendLimitCents: 300_000 },
  after: { spendLimitCents: 200_000 },
} as const;
const alone = { named: [], count: 0 };

describe('a sentence', () => {
  test('says who changed what, how, from what to what', () => {
    expect(sentenceOf(entry, change, alone)).toBe(
      'Administrator 42 changed the policy through the REST API: spend limit from $3,000.00 to $2,000.00.',
    );
  });

  test.each([
    [
      { actor: { kind: 'operator', role: 'policy_operator', userId: null } },
      'An operator changed the policy through the REST API',
    ],
    [
      { actor: { kind: 'unknown', role: null, userId: null }, source: 'import' },
      'Somebody changed the policy with an earlier release',
    ],
    [
      { actor: { kind: 'service', role: null, userId: null }, source: 'job', operation: 'assignments.expire' },
      'The job assignments.expire changed the policy',
    ],
    [
      { actor: { kind: 'service', role: null, userId: null }, source: 'event', operation: 'ping' },
      'The event ping changed the policy',
    ],
    [{ source: 'trpc' }, 'Administrator 42 changed the policy through the tRPC API'],
  ] as const)('names the actor: %j', (more, words) => {
    expect(sentenceOf({ ...entry, ...more }, change, alone)).toBe(`${words}: spend limit from $3,000.00 to $2,000.00.`);
  });

  test('gives the reason, and what else was changed', () => {
    const named = [
      { subjectKind: 'ledger_transaction', subjectUuid: 'a' },
      { subjectKind: 'redemption', subjectUuid: 'b' },
    ];
    expect(sentenceOf({ ...entry, reason: 'agreed' }, change, { named, count: 2 })).toBe(
      'Administrator 42 changed the policy through the REST API, together with ledger transaction a and redemption b: spend limit from $3,000.00 to $2,000.00. Reason given: “agreed”.',
    );
    expect(sentenceOf(entry, change, { named: named.slice(0, 1), count: 1 })).toContain(
      ', together with ledger transaction a:',
    );
    expect(sentenceOf(entry, change, { named, count: 9 })).toContain(
      'ledger transaction a, redemption b and 7 more things:',
    );
  });

  test('says what was new and what is gone, without ids and what is hidden', () => {
    const after = {
      uuid: 'u',
      contentKey: 'edX+DemoX',
      priceCents: 14_900,
      learnerEmail: '***',
      active: false,
      note: null,
    };
    const created = { ...change, subjectKind: 'assignment', action: 'created', before: null, after } as const;
    expect(sentenceOf(entry, created, alone)).toBe(
      'Administrator 42 created the assignment through the REST API: content edX+DemoX, price $149.00.',
    );
    expect(sentenceOf(entry, { ...created, action: 'deleted', before: after, after: null }, alone)).toContain(
      'deleted the assignment through the REST API: content edX+DemoX',
    );
  });

  test('does not tell what is hidden, only that it changed', () => {
    const hidden = { ...change, before: { learnerEmail: '***' }, after: { learnerEmail: '***' } };
    expect(sentenceOf(entry, hidden, alone)).toContain(': address of the learner changed.');
  });

  test('names what the fields do not say', () => {
    const reminded = { ...change, subjectKind: 'assignment', note: 'reminded', before: null, after: null };
    expect(sentenceOf(entry, reminded, alone)).toBe(
      'Administrator 42 sent a reminder of the assignment through the REST API.',
    );
    expect(sentenceOf(entry, { ...reminded, note: 'of_the_future' }, alone)).toContain('changed (of_the_future) the');
  });

  test('is short, however many fields there are', () => {
    const after = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`field${at}`, at + 1]));
    expect(sentenceOf(entry, { ...change, action: 'created', before: null, after }, alone)).toMatch(
      /, and 2 more fields\.$/,
    );
  });
});

test.each([
  ['catalogUuid', 'catalog'],
  ['displayName', 'display name'],
  ['expirationDatetime', 'expiration'],
  ['perLearnerSpendLimitCents', 'spend limit per learner'],
  ['notifiedAt', 'notified time'],
])('%s is called %s', (name, words) => {
  expect(fieldWords(name)).toBe(words);
});

test.each([
  ['spendLimitCents', null, 'none'],
  ['priceCents', -1_050, '-$10.50'],
  ['retired', true, 'yes'],
  ['expirationDatetime', '2027-01-01T00:00:00.000Z', 'January 1, 2027, 00:00 UTC'],
  ['perLearnerEnrollmentLimit', 3, '3'],
  ['description', 'x'.repeat(300), `${'x'.repeat(200)}…`],
] as const)('%s %s is read as %s', (name, value, words) => {
  expect(valueWords(name, value)).toBe(words);
});
