import { expect } from 'vitest';
import type { World } from '../support/examples.ts';
import { newSubsidy, POLICIES } from '../support/fixtures.ts';
import { demonstration, operatorToken } from '../support/harness.ts';

export const NOW = '2026-06-01T12:00:00Z';
export const LATER = '2026-06-02T08:00:00Z';
export const LINE_ITEM = '00kDEMO0000000009A';

/** What tests of policies ask, over and over. */
export const policyRequests = (world: () => World) => {
  const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    world().call(method, path, operatorToken(), body);
  const at = (uuid: string) => `${POLICIES}${uuid}/`;
  const update = (uuid: string, body: object) => call('PATCH', at(uuid), body);
  /** A subsidy of Demo Company, so that policies on it meet no others. */
  const subsidyWith = (balance = 1_000_000) => newSubsidy(world(), { customer: demonstration.customer, balance });
  const bodyOn = (subsidy: string, change: object = {}) => ({
    policy_type: 'PerLearnerSpendCreditAccessPolicy',
    enterprise_customer_uuid: demonstration.customer,
    catalog_uuid: demonstration.catalog,
    subsidy_uuid: subsidy,
    access_method: 'direct',
    active: true,
    ...change,
  });
  const made = async (subsidy: string, change: object = {}): Promise<string> => {
    const reply = await call('POST', POLICIES, bodyOn(subsidy, change));
    expect(reply.status, JSON.stringify(reply.body)).toBe(201);
    return reply.body.uuid;
  };
  const atTime = async <T>(time: string, work: () => Promise<T>): Promise<T> => {
    world().world.now = new Date(time);
    return work().finally(() => {
      world().world.now = new Date(NOW);
    });
  };
  return { call, at, update, subsidyWith, bodyOn, made, atTime };
};
