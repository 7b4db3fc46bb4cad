import { newUuid } from '@enterprise-access/domain';
import { EnterpriseAccess } from '@enterprise-access/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demonstration, dialects, learnerToken, operatorToken, run, startApp } from '../support/harness.ts';

const NAMES = ['constructor', 'prototype', '__proto__'] as const;
const SHAPES = [
  ['at the top', (name: string) => `{"${name}":1}`],
  ['deep inside', (name: string) => `{"a":[{"b":{"${name}":{"${name}":[1]}}}]}`],
] as const;
const CASES = NAMES.flatMap((name) => SHAPES.map(([where, text]) => [name, where, text(name)] as const));

describe.each(dialects)('metadata with any field names on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startApp>>;
  let baseUrl: string;
  beforeAll(async () => {
    world = await startApp(dialect);
    baseUrl = await world.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => world.stop());

  const redeemPath = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
  const policyUuid = demonstration.spendPolicy;
  let learner = 1_100;
  const nextLearner = () => {
    learner += 1;
    return learner;
  };
  const redeemOverRest = async (lmsUserId: number, metadata: string, headers = {}) => {
    const reply = await world.app.inject({
      method: 'POST',
      url: redeemPath,
      headers: { authorization: `JWT ${learnerToken(lmsUserId)}`, 'content-type': 'application/json', ...headers },
      payload: `{"lms_user_id":${lmsUserId},"content_key":"${run}","metadata":${metadata}}`,
    });
    expect(reply.statusCode, reply.body).toBe(200);
    return reply;
  };
  const as = (token: string, more = {}) => new EnterpriseAccess({ baseUrl, token, ...more });

  test.each(CASES)('%s %s: redeemed over REST with a key, then read over both transports', async (_n, _w, text) => {
    const lmsUserId = nextLearner();
    const headers = { 'idempotency-key': newUuid() };
    const first = await redeemOverRest(lmsUserId, text, headers);
    const again = await redeemOverRest(lmsUserId, text, headers);
    expect(again.json()).toEqual(first.json());
    expect(again.body).toContain(`"metadata":${text}`);
    expect(first.body).toContain(`"metadata":${text}`);

    const { uuid } = first.json();
    const access = as(learnerToken(lmsUserId));
    expect(JSON.stringify((await access.redemptions.get({ uuid })).metadata)).toBe(text);
    const own = await access.ledger.ownTransactions({ uuid: demonstration.subsidy });
    expect(JSON.stringify(own.items[0]?.metadata)).toBe(text);
    const asked = { enterpriseCustomerUuid: demonstration.customer, contentKey: [run] };
    const [answer] = await access.redemptions.canRedeem(asked);
    expect(JSON.stringify(answer?.redemptions[0]?.metadata)).toBe(text);
    const all = await as(operatorToken()).ledger.listTransactions({ uuid: demonstration.subsidy, lmsUserId });
    expect(JSON.stringify(all.items[0]?.metadata)).toBe(text);
  });

  test.each(CASES)('%s %s: redeemed over tRPC', async (_n, _w, text) => {
    const lmsUserId = nextLearner();
    const access = as(learnerToken(lmsUserId));
    const metadata = JSON.parse(text);
    const options = { idempotencyKey: newUuid() };
    const first = await access.redemptions.redeem({ policyUuid, lmsUserId, contentKey: run, metadata }, options);
    expect(JSON.stringify(first.metadata)).toBe(text);
    const again = await access.redemptions.redeem({ policyUuid, lmsUserId, contentKey: run, metadata }, options);
    expect(again).toEqual(first);
    expect(JSON.stringify(again.metadata)).toBe(text);
  });

  test('batches and JSONL streams carry it beside other answers', async () => {
    const lmsUserId = nextLearner();
    const { uuid } = (await redeemOverRest(lmsUserId, '{"constructor":{"prototype":1}}')).json();
    const access = as(learnerToken(lmsUserId), { batch: true });
    const asked = { enterpriseCustomerUuid: demonstration.customer, lmsUserId };
    const [one, other] = await Promise.all([
      access.redemptions.get({ uuid }),
      access.redemptions.creditsAvailable(asked),
    ]);
    expect(JSON.stringify(one.metadata)).toBe('{"constructor":{"prototype":1}}');
    expect(other.length).toBeGreaterThan(0);

    const input = JSON.stringify({ 0: { json: { uuid } }, 1: { json: asked } });
    const operations = 'redemptions.get,redemptions.creditsAvailable';
    const url = `${baseUrl}/trpc/${operations}?batch=1&input=${encodeURIComponent(input)}`;
    const headers = { authorization: `JWT ${learnerToken(lmsUserId)}`, 'trpc-accept': 'application/jsonl' };
    const reply = await fetch(url, { headers });
    const lines = await reply.text();
    expect(lines.trim().split('\n').length).toBeGreaterThan(2);
    expect(lines).toContain('["custom","json"]');
    expect(lines).toContain('remainingBalancePerUser');
    expect(lines).not.toContain('"error"');
  });

  test('a row that has it already is read', async () => {
    const lmsUserId = nextLearner();
    const { uuid } = (await redeemOverRest(lmsUserId, '{}')).json();
    await world.db('ledger_transactions').where({ uuid }).update({ metadata: '{"a":{"__proto__":{"b":1}}}' });
    const read = await as(learnerToken(lmsUserId)).redemptions.get({ uuid });
    expect(JSON.stringify(read.metadata)).toBe('{"a":{"__proto__":{"b":1}}}');
  });
});
