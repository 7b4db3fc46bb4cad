import { expect } from 'vitest';
import type { World } from '../support/examples.ts';
import { canRedeemAs, redeemAs } from '../support/fixtures.ts';
import { operatorToken, run } from '../support/harness.ts';

export const NOW = new Date('2026-06-01T12:00:00Z');
export const TOMORROW = new Date('2026-06-02T12:00:00Z');
export const NO_FUNDS = "You can't enroll right now because your organization doesn't have enough funds.";

/** What tests of redemptions ask, over and over. */
export const redemptionRequests = (world: () => World) => {
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    world().call(method, path, operatorToken(), body);
  /** The one answer of can-redeem about one run. */
  const answerFor = async (customer: string, learner: number, key = run) => {
    const { status, body } = await canRedeemAs(world(), customer, learner, [key]);
    expect(status, JSON.stringify(body)).toBe(200);
    return body[0];
  };
  const refusalOf = async (policy: string, customer: string, learner: number, key = run) => {
    const { status, body } = await redeemAs(world(), policy, customer, learner, key);
    return status === 422 ? body[0].reason : `status ${status}`;
  };
  /** Runs `work` while enrolments meet the fault. */
  const withFault = async <T>(fault: () => Promise<void>, work: () => Promise<T>): Promise<T> => {
    world().world.enrollmentFault = fault;
    return work().finally(() => {
      world().world.enrollmentFault = null;
    });
  };
  return { call, answerFor, refusalOf, withFault };
};
