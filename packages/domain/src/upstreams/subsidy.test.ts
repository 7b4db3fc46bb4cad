import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { processCache } from '../kernel/cache/cache.ts';
import { newUuid } from '../kernel/ids.ts';
import { type Ledger, LedgerRefusal, type Spend } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { httpLedger } from './subsidy.ts';
import { clientOf, control, nothingReserved, requestsTo } from './testing.ts';

const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const SUBSIDY = '33333333-3333-4333-8333-333333333333';
const [POLICY, OTHER_POLICY] = ['aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000000'];
const RUN = 'course-v1:edX+DemoX+2T2026';
const PRICE = 14_900;
const START = 100_000_000;
const RECORD = `/subsidy/api/v1/subsidies/${SUBSIDY}/`;
const TRANSACTIONS = `/subsidy/api/v2/subsidies/${SUBSIDY}/admin/transactions/`;
const DEPOSITS = `/subsidy/api/v2/subsidies/${SUBSIDY}/admin/deposits/`;

let sandbox: Sandbox;
let ledger: Ledger;
let bodies: unknown[];
beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.close());
beforeEach(async () => {
  await control(sandbox, 'POST', '/control/reset');
  const client = clientOf(sandbox, 'subsidy');
  bodies = [];
  const recording: Upstream = (call) => {
    if (call.body !== undefined) bodies.push(call.body);
    return client(call);
  };
  ledger = httpLedger(recording, processCache(), nothingReserved);
});

const intent = (change: Partial<Spend> = {}): Spend => {
  const uuid = newUuid();
  return {
    uuid,
    idempotencyKey: `spend-${uuid}`,
    subsidyUuid: SUBSIDY,
    policyUuid: POLICY,
    enterpriseCustomerUuid: CUSTOMER,
    lmsUserId: 1000,
    contentKey: RUN,
    priceCents: PRICE,
    requestedPriceCents: null,
    metadata: null,
    assignmentUuid: null,
    content: { lmsUserEmail: null, parentContentKey: null, title: null, courseRunStartDate: null },
    created: new Date('2026-06-01T12:00:00Z'),
    ...change,
  };
};
const fault = (method: string, path: string, what: object) =>
  control(sandbox, 'PUT', '/control/faults', { method, path: `${path}$`, ...what });
const history = (lmsUserId = 1000, contentKeys = [RUN]) =>
  ledger.transactions({ subsidyUuids: [SUBSIDY], lmsUserId, contentKeys });
const balance = async () => (await ledger.subsidies([SUBSIDY])).get(SUBSIDY)?.balanceCents;

describe('a spend', () => {
  test('names its key, and the price that our budget has taken', async () => {
    const spend = intent({ metadata: { allow_late_enrollment: true } });
    await ledger.settle(spend);
    expect(bodies).toEqual([
      {
        subsidy_uuid: SUBSIDY,
        lms_user_id: 1000,
        content_key: RUN,
        subsidy_access_policy_uuid: POLICY,
        metadata: { allow_late_enrollment: true },
        idempotency_key: spend.idempotencyKey,
        requested_price_cents: PRICE,
      },
    ]);
  });

  test('returns the amount charged', async () => {
    expect(await ledger.settle(intent())).toMatchObject({ outcome: 'committed', remote: { quantityCents: -PRICE } });
    const made = await history();
    await fault('POST', TRANSACTIONS, { status: 201, body: { ...onTheWire(made[0]), quantity: -14_000 } });
    expect(await ledger.settle(intent({ idempotencyKey: made[0]?.idempotencyKey ?? '' }))).toMatchObject({
      outcome: 'committed',
      remote: { quantityCents: -14_000 },
    });
  });

  test('of content that another policy has paid for charges nothing', async () => {
    await ledger.settle(intent({ policyUuid: OTHER_POLICY }));
    const [made] = await history();
    expect(await ledger.settle(intent())).toEqual({ outcome: 'standing', transaction: made });
    expect(await balance()).toBe(START - PRICE);
  });

  test('waits for a ledger that is busy', async () => {
    const body = { detail: 'Attempt to lock the Ledger failed, please try again.' };
    await fault('POST', TRANSACTIONS, { status: 429, body, times: 3 });
    expect(await ledger.settle(intent())).toMatchObject({ outcome: 'committed' });
  });

  test.each(['created', 'pending'])('that the service calls %s is not over', async (state) => {
    await ledger.settle(intent());
    const [made] = await history();
    await fault('POST', TRANSACTIONS, { status: 200, body: { ...onTheWire(made), state } });
    await expect(ledger.settle(intent())).rejects.toThrow('has not finished');
  });

  test('a spend that was reversed before we learned of it is refused, and its value is released', async () => {
    const spend = intent();
    await ledger.settle(spend);
    const [made] = await history();
    await control(sandbox, 'POST', '/control/reversals', { transactionUuid: made?.uuid });
    expect(await ledger.settle(spend)).toMatchObject({ outcome: 'refused', code: 'transaction_reversed' });
  });

  test('that the service calls failed is refused', async () => {
    await ledger.settle(intent());
    const [made] = await history();
    await fault('POST', TRANSACTIONS, { status: 200, body: { ...onTheWire(made), state: 'failed' } });
    expect(await ledger.settle(intent())).toMatchObject({ outcome: 'refused', code: 'transaction_creation_error' });
  });
});

describe('a refusal', () => {
  test.each([
    ['inactive_subsidy_creation_error', 'Cannot create a transaction in an inactive subsidy'],
    ['enrollment_error', 'The learner could not be enrolled.'],
    ['content_not_found', 'The given content_key is not in any catalog for this customer.'],
    ['invalid_requested_price', expect.stringContaining('acceptable interval')],
    ['fulfillment_error', 'The provider of the course did not accept the learner.'],
    ['transaction_creation_error', expect.stringContaining('balance')],
  ])('%s keeps its name, and what the service said goes with it', async (code, detail) => {
    const body = { code, detail: 'Something about learner-1000@demo.example.' };
    await fault('POST', TRANSACTIONS, { status: 422, body });
    expect(await ledger.settle(intent())).toEqual({
      outcome: 'refused',
      code,
      detail,
      status: 422,
      body: JSON.stringify(body),
    });
  });

  test.each([
    ['of a name that nobody declared', 422, { code: 'constructor', detail: 'x' }],
    ['of fields', 400, { lms_user_id: ['A valid integer is required.'] }],
    ['without words', 409, undefined],
  ])('%s is a refusal all the same', async (_what, status, body) => {
    await fault('POST', TRANSACTIONS, { status, ...(body && { body }) });
    expect(await ledger.settle(intent())).toMatchObject({
      outcome: 'refused',
      code: 'transaction_creation_error',
      status,
    });
  });

  test('of executive education without the details of the learner is one of the provider', async () => {
    const spend = intent({ contentKey: 'course-v1:edX+ExecX+2T2026', priceCents: 250_000 });
    expect(await ledger.settle(spend)).toMatchObject({ outcome: 'refused', code: 'fulfillment_error' });
  });

  test('does not hide what an earlier attempt has spent: the books decide', async () => {
    const spend = intent();
    await fault('POST', TRANSACTIONS, { loseReply: true, times: 3 });
    await expect(ledger.settle(spend)).rejects.toThrow(UpstreamFailure);
    const body = { code: 'inactive_subsidy_creation_error', detail: 'It has ended meanwhile.' };
    await fault('POST', TRANSACTIONS, { status: 422, body });
    const [made] = await history();
    expect(await ledger.settle(spend)).toMatchObject({ outcome: 'committed', transactionUuid: made?.uuid });
  });

  test('is unknown while the books show the spend in flight', async () => {
    const spend = intent();
    await ledger.settle(spend);
    const [made] = await history();
    await fault('POST', TRANSACTIONS, { status: 422, body: { code: 'transaction_creation_error' } });
    const inFlight = { next: null, results: [{ ...onTheWire(made), state: 'pending' }] };
    await fault('GET', TRANSACTIONS, { status: 200, body: inFlight });
    await expect(ledger.settle(spend)).rejects.toThrow('has not finished');
  });

  test.each([
    ['are closed to us', { status: 403, body: { detail: 'Missing: subsidy.can_read_all_transactions' } }],
    ['do not open', { status: 500 }],
  ])('is unknown when the books %s', async (_what, books) => {
    await fault('POST', TRANSACTIONS, { status: 422, body: { code: 'transaction_creation_error' } });
    await fault('GET', TRANSACTIONS, books);
    await expect(ledger.settle(intent())).rejects.toThrow(UpstreamFailure);
  });
});

describe('reading', () => {
  test('two hundred and thirty transactions of one learner come complete, in order, in three pages', async () => {
    const names = Array.from({ length: 230 }, (_, index) => `Many${String(index).padStart(3, '0')}X`);
    await control(
      sandbox,
      'PUT',
      '/control/courses',
      names.map((name) => ({ courseKey: `edX+${name}`, courseRunKey: `course-v1:edX+${name}+1`, priceCents: 100 })),
    );
    const keys = names.map((name) => `course-v1:edX+${name}+1`);
    for (const contentKey of keys) await ledger.settle(intent({ contentKey, priceCents: 100 }));
    await control(sandbox, 'DELETE', '/control/requests');
    expect((await history(1000, keys)).map(({ contentKey }) => contentKey).toSorted()).toEqual(keys);
    expect(await requestsTo(sandbox, TRANSACTIONS)).toBe(3);
    expect(await history(1000, [keys[7] ?? ''])).toHaveLength(1);
  });

  test('failed transactions are history, too', async () => {
    await control(sandbox, 'PUT', '/control/learners', {
      lmsUserId: 99,
      customerUuid: CUSTOMER,
      email: 'fail@demo.example',
    });
    await ledger.settle(intent({ lmsUserId: 99 }));
    expect(await history(99)).toMatchObject([{ state: 'failed' }]);
  });

  test('snapshots and remarks that cannot be read hide nothing', async () => {
    await ledger.settle(intent());
    const [made] = await history();
    const odd = {
      ...onTheWire(made),
      course_run_start_date: 'soon',
      metadata: ['any', 'JSON'],
      external_reference: ['order-1'],
    };
    await fault('GET', TRANSACTIONS, { status: 200, body: { next: null, results: [odd] } });
    expect(await history()).toMatchObject([
      { uuid: made?.uuid, courseRunStartDate: null, metadata: null, externalReferences: ['order-1'] },
    ]);
  });

  test.each([
    ['a quantity in words', { quantity: 'all' }],
    ['a fraction of a cent', { quantity: -0.5 }],
    ['a state that nobody knows', { state: 'lost' }],
  ])('%s is no answer', async (_what, change) => {
    await ledger.settle(intent());
    const [made] = await history();
    await fault('GET', TRANSACTIONS, {
      status: 200,
      body: { next: null, results: [{ ...onTheWire(made), ...change }] },
    });
    await expect(history()).rejects.toThrow(UpstreamFailure);
  });

  test('concurrent reads of a subsidy make one call; after a spend or a deposit it is read again', async () => {
    await Promise.all(Array.from({ length: 20 }, balance));
    expect(await requestsTo(sandbox, RECORD)).toBe(1);
    await ledger.settle(intent());
    expect(await balance()).toBe(START - PRICE);
    await ledger.deposit(order('d1'));
    expect(await balance()).toBe(START - PRICE + 500);
  });

  test('counts of enrollments are kept until the next spend', async () => {
    await ledger.settle(intent());
    const count = async () => (await ledger.enrollmentCounts(SUBSIDY, POLICY)).get(1000);
    expect([await count(), await count()]).toEqual([1, 1]);
    expect(await requestsTo(sandbox, `${RECORD}aggregates-by-learner`)).toBe(1);
    await ledger.settle(intent({ contentKey: 'course-v1:edX+DataX+2T2026', priceCents: 9_900 }));
    expect(await count()).toBe(2);
  });

  test('a denied read is not an empty result', async () => {
    await control(sandbox, 'PUT', '/control/faults', { method: 'GET', path: '/subsidy/', status: 403 });
    await expect(ledger.subsidies([SUBSIDY])).rejects.toThrow(UpstreamRefusal);
    await expect(history()).rejects.toThrow(UpstreamRefusal);
    await expect(ledger.enrollmentCounts(SUBSIDY, POLICY)).rejects.toThrow(UpstreamRefusal);
  });
});

const order = (idempotencyKey: string) => ({
  subsidyUuid: SUBSIDY,
  quantityCents: 500,
  salesContractReferenceId: '00kDEMO0000000009A',
  idempotencyKey,
});

describe('a deposit', () => {
  test('whose reply was lost is there once', async () => {
    await fault('POST', DEPOSITS, { loseReply: true });
    await expect(ledger.deposit(order('d1'))).rejects.toThrow(UpstreamFailure);
    await control(sandbox, 'DELETE', '/control/faults');
    await ledger.deposit(order('d1'));
    expect(await balance()).toBe(START + 500);
  });

  test('under a key that the service has seen and refuses is there', async () => {
    for (const key of ['d1', 'd2', 'd3']) await ledger.deposit(order(key));
    await ledger.settle(intent());
    await fault('POST', DEPOSITS, { status: 422, body: { code: 'deposit_creation_error', detail: 'Seen.' } });
    await ledger.deposit(order('d2'));
    expect(await balance()).toBe(START + 1_500 - PRICE);
  });

  test('that was not made because the ledger was busy is unknown', async () => {
    await fault('POST', DEPOSITS, { status: 422, body: { code: 'deposit_creation_error', detail: 'Locked.' } });
    await expect(ledger.deposit(order('d1'))).rejects.toThrow(UpstreamFailure);
  });

  test.each([
    ['by a service that does not let us in', { method: 'POST' }],
    ['by a service whose books are closed', {}],
  ])('refused %s is unknown', async (_what, where) => {
    await control(sandbox, 'PUT', '/control/faults', { ...where, path: '/subsidy/', status: 403 });
    await expect(ledger.deposit(order('d1'))).rejects.toThrow(UpstreamFailure);
  });

  test('of bad fields is refused', async () => {
    const refused = ledger.deposit({ ...order('d1'), quantityCents: 0 });
    await expect(refused).rejects.toThrow(LedgerRefusal);
    await expect(refused).rejects.toMatchObject({ code: 'deposit_creation_error', status: 400 });
  });
});

/** A transaction as the service writes it. */
const onTheWire = (made: Awaited<ReturnType<typeof history>>[number] | undefined) =>
  made && {
    uuid: made.uuid,
    state: made.state,
    idempotency_key: made.idempotencyKey,
    lms_user_id: made.lmsUserId,
    content_key: made.contentKey,
    quantity: made.quantityCents,
    subsidy_access_policy_uuid: made.subsidyAccessPolicyUuid,
    metadata: made.metadata,
    created: made.created.toISOString(),
    modified: made.modified.toISOString(),
    reversal: null,
  };
