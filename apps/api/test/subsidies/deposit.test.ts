import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { balanceOf, isUuid, newCustomer, newSubsidy, SUBSIDIES, trpcError } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { PROVIDER, subsidyRequests } from './requests.ts';

describe.each(dialects)('a deposit on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, deposit, funded } = subsidyRequests(() => world);

  test('R-LED-02: 201 with its exact body; balance and total of deposits rise', async () => {
    const { subsidy } = await funded(1_000);
    const made = await deposit(subsidy, { metadata: { why: 'more' } });
    expect(made.status).toBe(201);
    const ledger = (await world.db('subsidies').where({ uuid: subsidy }).first('ledger_uuid')).ledger_uuid;
    expect(made.body).toEqual({
      uuid: isUuid,
      ledger,
      desired_deposit_quantity: 5_000,
      transaction: isUuid,
      sales_contract_reference_id: '00k1',
      sales_contract_reference_provider: PROVIDER,
    });
    expect((await call('GET', `${SUBSIDIES}${subsidy}/`)).body).toMatchObject({
      current_balance: 6_000,
      starting_balance: 1_000,
      total_deposits: 6_000,
    });
    expect((await call('GET', `/api/v1/transactions/${made.body.transaction}/`)).body).toMatchObject({
      quantity: 5_000,
      state: 'committed',
      idempotency_key: `${ledger}-deposit-5000-sales-contract-00k1`,
      metadata: { why: 'more' },
    });
  });

  test('R-LED-11, example 8: a repeat is 422; different keys make two deposits', async () => {
    const { subsidy } = await funded(0);
    const body = { desired_deposit_quantity: 50_000 };
    expect((await deposit(subsidy, body)).status).toBe(201);
    expect(await deposit(subsidy, body)).toMatchObject({
      status: 422,
      body: { detail: expect.any(String), code: 'deposit_creation_error' },
    });
    expect((await deposit(subsidy, { ...body, idempotency_key: 'a' })).status).toBe(201);
    expect((await deposit(subsidy, { ...body, idempotency_key: 'b' })).status).toBe(201);
    // A key of the caller's own is a promise that a repeat is the same deposit.
    expect((await deposit(subsidy, { ...body, idempotency_key: 'a' })).status).toBe(200);
    expect((await deposit(subsidy, { desired_deposit_quantity: 1, idempotency_key: 'a' })).status).toBe(422);
    expect(await balanceOf(world, subsidy)).toBe(150_000);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test.each(['nobody', 'Zoë', '\u{1d4b3}'])(
    '400: a provider that is not known, over both transports: %s',
    async (slug) => {
      const { subsidy } = await funded(0);
      const fields = { sales_contract_reference_provider: [`Object with slug=${slug} does not exist.`] };
      expect(await deposit(subsidy, { sales_contract_reference_provider: slug })).toMatchObject({
        status: 400,
        body: fields,
      });
      const input = {
        uuid: subsidy,
        desiredDepositQuantity: 1,
        salesContractReferenceId: '00k1',
        salesContractReferenceProvider: slug,
      };
      expect(await trpcError(world, 'ledger.createDeposit', input)).toMatchObject({ status: 400, details: { fields } });
    },
  );

  test('twenty at once under one key are one; without a key too, and the others are refused', async () => {
    const { subsidy } = await funded(0);
    const statuses = async (body: object) =>
      (await Promise.all(Array.from({ length: 20 }, () => deposit(subsidy, body)))).map(({ status }) => status).sort();
    const nineteen = (status: number) => Array.from({ length: 19 }, () => status);
    expect(await statuses({ idempotency_key: 'x' })).toEqual([...nineteen(200), 201]);
    expect(await statuses({})).toEqual([201, ...nineteen(422)]);
    expect(await balanceOf(world, subsidy)).toBe(10_000);
  });

  test('before the start yes, after the end 422; bad input is 400', async () => {
    const customer = newCustomer(world);
    const early = await newSubsidy(world, { customer, active: '2026-12-01T00:00:00Z' });
    expect((await deposit(early, {})).status).toBe(201);
    const ended = await newSubsidy(world, { customer, expiration: '2026-05-31T00:00:00Z' });
    expect(await deposit(ended, {})).toMatchObject({
      status: 422,
      body: { detail: 'Cannot create a deposit in an expired subsidy', code: 'deposit_on_expired_subsidy' },
    });
    for (const [change, field] of [
      [{ desired_deposit_quantity: 0 }, 'desired_deposit_quantity'],
      [{ desired_deposit_quantity: 1.5 }, 'desired_deposit_quantity'],
      [{ sales_contract_reference_provider: 'nobody' }, 'sales_contract_reference_provider'],
      [{ sales_contract_reference_id: '' }, 'sales_contract_reference_id'],
    ] as const) {
      const reply = await deposit(early, change);
      expect(reply.status).toBe(400);
      expect(Object.keys(reply.body)).toEqual([field]);
    }
    expect(await balanceOf(world, early)).toBe(1_005_000);
  });
});
