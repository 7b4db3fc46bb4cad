import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  balanceOf,
  historyOf,
  newBudget,
  newCustomer,
  newPolicy,
  newSubsidy,
  operatorUserId,
  SUBSIDIES,
  spentOf,
} from '../support/fixtures.ts';
import { demonstration, dialects, startApp, tokenFor } from '../support/harness.ts';
import { LINE_ITEM, policyRequests } from './requests.ts';

describe.each(dialects)('deposits and late redemption on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    expect(await spentOf(world, demonstration.spendPolicy)).toBe(0);
    await world.stop();
  });
  const { call, at, update, subsidyWith, made } = policyRequests(() => world);

  const deposit = (policy: string, body: object, headers = {}, operator = 7) =>
    world.call(
      'POST',
      `${at(policy)}deposit/`,
      tokenFor('enterprise_openedx_operator', '*', operator),
      { quantity_cents: 10_000, sales_contract_reference_id: LINE_ITEM, ...body },
      headers,
    );

  /** The ledger adds the value, and then the process is killed. */
  const losingReply = async <T>(work: () => Promise<T>): Promise<T> => {
    const runtime = world.runtime as { ledger: typeof world.runtime.ledger };
    const real = runtime.ledger;
    const crash = async (request: Parameters<typeof real.deposit>[0]) => {
      await real.deposit(request);
      throw new Error('killed');
    };
    runtime.ledger = { ...real, deposit: crash };
    return work().finally(() => {
      runtime.ledger = real;
    });
  };

  test('R-POL-30: ledger and limit rise together, with history; one key is one deposit', async () => {
    const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
    const first = await deposit(policy, {}, { 'idempotency-key': 'once' });
    expect(first).toMatchObject({ status: 200, body: { spend_limit: 10_500, total_deposits_for_subsidy: 11_000 } });
    expect((await deposit(policy, {}, { 'idempotency-key': 'once' })).body).toEqual(first.body);
    expect((await deposit(policy, {})).body.spend_limit).toBe(20_500);
    expect(await balanceOf(world, subsidy)).toBe(21_000);
    const history = await historyOf(world, policy);
    const actor = await operatorUserId(world);
    expect(history.map((row) => [row.actor_user_id, row.note, row.after?.spendLimitCents])).toEqual([
      [actor, 'deposit', 10_500],
      [actor, 'deposit', 20_500],
    ]);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('W16: cut off after the ledger, a repeat under its key finishes it; many at once add once', async () => {
    const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
    const cut = await losingReply(() => deposit(policy, {}, { 'idempotency-key': 'cut' }));
    expect(cut.status).toBe(500);
    expect(await balanceOf(world, subsidy)).toBe(11_000);
    const again = await deposit(policy, {}, { 'idempotency-key': 'cut' });
    expect(again).toMatchObject({ status: 200, body: { spend_limit: 10_500, total_deposits_for_subsidy: 11_000 } });
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => deposit(policy, {}, { 'idempotency-key': 'many' })),
    );
    expect(replies.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect((await call('GET', at(policy))).body).toMatchObject({ spend_limit: 20_500 });
    expect(await balanceOf(world, subsidy)).toBe(21_000);
  });

  test('one key of two operators is two deposits, and may be as long as any', async () => {
    const { policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
    const key = { 'idempotency-key': 'k'.repeat(255) };
    expect((await deposit(policy, {}, key)).body).toMatchObject({ spend_limit: 10_500 });
    expect((await deposit(policy, {}, key, 8)).body).toMatchObject({ spend_limit: 20_500 });
  });

  test('W16: a key is one deposit of one caller, whatever else is sent under it', async () => {
    const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
    const key = { 'idempotency-key': 'one' };
    await losingReply(() => deposit(policy, {}, key));
    expect(await deposit(policy, { quantity_cents: 90_000 }, key)).toMatchObject({
      status: 422,
      body: { detail: 'This Idempotency-Key was used with another request body.' },
    });
    expect((await deposit(policy, {}, key)).body).toMatchObject({ spend_limit: 10_500 });
    const other = tokenFor('enterprise_openedx_operator', '*', 8);
    const body = { quantity_cents: 20_000, sales_contract_reference_id: LINE_ITEM };
    expect((await world.call('POST', `${at(policy)}deposit/`, other, body, key)).body).toMatchObject({
      spend_limit: 30_500,
      total_deposits_for_subsidy: 31_000,
    });
    expect(await balanceOf(world, subsidy)).toBe(31_000);
  });

  test('W16: a policy stays on its subsidy until its deposit is completed', async () => {
    const { customer, policy } = await newBudget(world, { balance: 1_000 });
    const move = { subsidy_uuid: await newSubsidy(world, { customer, balance: 0 }) };
    const key = { 'idempotency-key': 'stay' };
    await losingReply(() => deposit(policy, {}, key));
    expect(await update(policy, move)).toMatchObject({
      status: 400,
      body: { subsidy_uuid: ['Cannot change the subsidy of this policy while a deposit is being completed.'] },
    });
    expect((await deposit(policy, {}, key)).body).toMatchObject({ total_deposits_for_subsidy: 11_000 });
    expect(await update(policy, move)).toMatchObject({ status: 200, body: { total_deposits_for_subsidy: 0 } });
  });

  test('W16: what was refused under a key is made under it later, with its limit', async () => {
    const customer = newCustomer(world);
    const subsidy = await newSubsidy(world, { customer, balance: 0, expiration: '2026-05-31T00:00:00Z' });
    const policy = await newPolicy(world, { customer, subsidy, spendLimit: 7 });
    const key = { 'idempotency-key': 'later' };
    expect((await deposit(policy, {}, key)).status).toBe(422);
    await call('PATCH', `${SUBSIDIES}${subsidy}/`, { expiration_datetime: '2027-01-01T00:00:00Z' });
    expect(await deposit(policy, {}, key)).toMatchObject({
      status: 200,
      body: { spend_limit: 10_007, total_deposits_for_subsidy: 10_000 },
    });
  });

  test('W16: cut off before the end of the subsidy, a deposit is finished after it', async () => {
    const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
    const key = { 'idempotency-key': 'end' };
    await losingReply(() => deposit(policy, {}, key));
    await call('PATCH', `${SUBSIDIES}${subsidy}/`, { expiration_datetime: '2026-05-31T00:00:00Z' });
    expect((await deposit(policy, {})).status).toBe(422);
    expect(await deposit(policy, {}, key)).toMatchObject({
      status: 200,
      body: { spend_limit: 10_500, total_deposits_for_subsidy: 11_000 },
    });
  });

  test('R-POL-30, W16: a deposit does not add a limit to a policy without one; a refused deposit changes nothing', async () => {
    const open = await newBudget(world, { balance: 1_000 });
    expect((await deposit(open.policy, {})).body).toMatchObject({ spend_limit: null });
    expect(await balanceOf(world, open.subsidy)).toBe(11_000);
    const customer = newCustomer(world);
    const ended = await newSubsidy(world, { customer, balance: 0, expiration: '2026-05-31T00:00:00Z' });
    const policy = await newPolicy(world, { customer, subsidy: ended, spendLimit: 7 });
    expect((await deposit(policy, {})).status).toBe(422);
    expect((await call('GET', at(policy))).body.spend_limit).toBe(7);
    expect(await balanceOf(world, ended)).toBe(0);
  });

  test.each([
    [{ quantity_cents: 99 }, 'quantity_cents'],
    [{ quantity_cents: 100.5 }, 'quantity_cents'],
    [{ sales_contract_reference_id: '00x000000000000000' }, 'sales_contract_reference_id'],
    [{ sales_contract_reference_id: '00k1' }, 'sales_contract_reference_id'],
  ])('400: a deposit of %o', async (change, field) => {
    const reply = await deposit(demonstration.spendPolicy, change);
    expect(reply.status).toBe(400);
    expect(Object.keys(reply.body)).toEqual([field]);
  });

  test('R-POL-31: to the end of a day in UTC, and back', async () => {
    const policy = await made(await subsidyWith());
    const set = (days: unknown) => call('POST', `${at(policy)}late-redemption/`, { days });
    expect((await set(1)).body).toMatchObject({
      late_redemption_allowed_until: '2026-06-02T23:59:59.999999Z',
      is_late_redemption_allowed: true,
    });
    expect((await set(7)).body.late_redemption_allowed_until).toBe('2026-06-08T23:59:59.999999Z');
    expect((await set(null)).body).toMatchObject({
      late_redemption_allowed_until: null,
      is_late_redemption_allowed: false,
    });
    expect([(await set(0)).status, (await set(8)).status]).toEqual([400, 400]);
    // Through the ordinary update without bound.
    const far = { late_redemption_allowed_until: '2040-01-01T00:00:00Z' };
    expect((await update(policy, far)).body).toMatchObject({ ...far, is_late_redemption_allowed: true });
    expect(await historyOf(world, policy)).toHaveLength(5);
  });
});
