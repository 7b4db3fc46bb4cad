import { randomUUID } from 'node:crypto';
import type { World } from '../support/examples.ts';
import { newCustomer, newSubsidy } from '../support/fixtures.ts';
import { operatorToken, run } from '../support/harness.ts';

export const NOW = '2026-06-01T12:00:00Z';
export const UNKNOWN = '00000000-0000-4000-8000-000000000000';
export const PROVIDER = 'salesforce_opportunity_line_item';

/** What tests of the subsidy service's routes ask, over and over. */
export const subsidyRequests = (world: () => World) => {
  const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    world().call(method, path, operatorToken(), body);
  const transactionsOf = (subsidy: string, query = '') =>
    call('GET', `/api/v2/subsidies/${subsidy}/admin/transactions/${query}`);
  const spend = (subsidy: string, body: object) =>
    call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, {
      lms_user_id: 1,
      content_key: run,
      subsidy_access_policy_uuid: randomUUID(),
      ...body,
    });
  const deposit = (subsidy: string, body: object) =>
    call('POST', `/api/v2/subsidies/${subsidy}/admin/deposits/`, {
      desired_deposit_quantity: 5_000,
      sales_contract_reference_id: '00k1',
      sales_contract_reference_provider: PROVIDER,
      ...body,
    });
  /** A subsidy whose customer has learner 1. */
  const funded = async (balance = 100_000) => {
    const customer = newCustomer(world(), [1, 2]);
    return { customer, subsidy: await newSubsidy(world(), { customer, balance }) };
  };
  return { call, transactionsOf, spend, deposit, funded };
};
