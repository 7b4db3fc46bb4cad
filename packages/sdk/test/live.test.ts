import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  demonstration,
  dialects,
  learnerToken,
  operatorToken,
  run,
  startApp,
  tokenFor,
} from '../../../apps/api/test/support/harness.ts';
import {
  AbortedError,
  ConnectionError,
  EnterpriseAccess,
  InvalidInputError,
  InvalidTokenError,
  NotFoundError,
  NotRedeemableError,
  type Outcome,
  PermissionDeniedError,
} from '../src/index.ts';

const LEARNER = 1000;
const adminToken = () => tokenFor('enterprise_admin', demonstration.customer, 900);
const UNTIL = { timeout: 15_000, interval: 10 };

describe.each(dialects)('the SDK against the service on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startApp>>;
  let baseUrl: string;
  beforeAll(async () => {
    world = await startApp(dialect);
    baseUrl = await world.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => world.stop());

  const as = (token: string, more: object = {}) => new EnterpriseAccess({ baseUrl, token, ...more });
  const purchase = { policyUuid: demonstration.spendPolicy, contentKey: run };

  test('a redemption is one however often its key is used, and its times are dates', async () => {
    const access = as(learnerToken(LEARNER));
    const options = { idempotencyKey: 'order 1' };
    const first = await access.redemptions.redeem({ ...purchase, lmsUserId: LEARNER }, options);
    expect(first.created).toBeInstanceOf(Date);
    expect(first.state).toBe('committed');
    const again = await access.redemptions.redeem({ ...purchase, lmsUserId: LEARNER }, options);
    expect(again).toEqual(first);
    expect(await access.redemptions.get({ uuid: first.uuid })).toEqual(first);
  });

  test('a refusal is an instance of its class with typed details', async () => {
    const access = as(operatorToken());
    await world.db('policies').where({ uuid: demonstration.spendPolicy }).update({ retired: true });
    const refused = access.redemptions.redeem({ ...purchase, lmsUserId: 1001 });
    await expect(refused).rejects.toBeInstanceOf(NotRedeemableError);
    const error = await refused.catch((thrown: unknown) => thrown);
    if (!(error instanceof NotRedeemableError)) throw error;
    expect(error).toMatchObject({
      name: 'NotRedeemableError',
      code: 'not_redeemable',
      status: 422,
      isRetryable: false,
      operation: 'redemptions.redeem',
      details: { reason: 'policy_expired', reasons: [{ reason: 'policy_expired' }] },
      requestId: expect.any(String),
      idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    await world.db('policies').where({ uuid: demonstration.spendPolicy }).update({ retired: false });
  });

  test.each([
    ['not found', (access: EnterpriseAccess) => access.policies.get({ uuid: newUuid() }), NotFoundError],
    ['bad input', (access: EnterpriseAccess) => access.policies.get({ uuid: 'nonsense' }), InvalidInputError],
  ])('%s has a class', async (_what, call, Class) => {
    await expect(call(as(operatorToken()))).rejects.toBeInstanceOf(Class);
  });

  test('a learner is told which permission is missing', async () => {
    const call = as(learnerToken(LEARNER)).policies.update({ uuid: demonstration.spendPolicy, retired: true });
    await expect(call).rejects.toMatchObject({ details: { permission: 'subsidy_access_policy.has_write_access' } });
    await expect(call).rejects.toBeInstanceOf(PermissionDeniedError);
  });

  test('the reply comes with the answer', async () => {
    const reply = await as(operatorToken()).policies.get({ uuid: demonstration.spendPolicy }).withResponse();
    expect(reply).toMatchObject({ status: 200, data: { uuid: demonstration.spendPolicy } });
    expect(reply.requestId).toBe(reply.headers.get('x-request-id'));
  });

  test('await gives a page, for await the items of all pages, toArray the first of them', async () => {
    const access = as(operatorToken());
    const input = { enterpriseCustomerUuid: demonstration.customer, pageSize: 1 };
    const page = await access.policies.list(input);
    expect(page.items).toHaveLength(1);
    expect(page.count).toBeGreaterThan(2);
    const uuids: string[] = [];
    for await (const policy of access.policies.list(input)) uuids.push(policy.uuid);
    expect(new Set(uuids).size).toBe(page.count);
    const first = await access.policies.list(input).toArray({ limit: 2 });
    expect(first.map(({ uuid }) => uuid)).toEqual(uuids.slice(0, 2));
    const second = await access.policies.list({ ...input, page: 2 }).toArray({ limit: 10 });
    expect(second.map(({ uuid }) => uuid)).toEqual(uuids.slice(1));
  });

  test('toArray asks for no page that it does not need', async () => {
    const outcomes: Outcome[] = [];
    const hooks = { onResponse: (outcome: Outcome) => void outcomes.push(outcome) };
    const list = as(operatorToken(), { hooks }).policies.list({
      enterpriseCustomerUuid: demonstration.customer,
      pageSize: 1,
    });
    await list.toArray({ limit: 1 });
    expect(outcomes).toHaveLength(1);
  });

  test('concurrent queries are batched if enabled, and fail separately', async () => {
    const sent: string[] = [];
    const access = as(operatorToken(), {
      batch: true,
      fetch: (url: string, init: RequestInit) => {
        sent.push(`${init.method} ${new URL(url).pathname}`);
        return fetch(url, init);
      },
    });
    const results = await Promise.allSettled([
      access.policies.get({ uuid: demonstration.spendPolicy }),
      access.policies.get({ uuid: newUuid() }),
      access.ledger.getSubsidy({ uuid: demonstration.subsidy }),
    ]);
    expect(sent).toEqual(['GET /trpc/policies.get,policies.get,ledger.getSubsidy']);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'not_found', operation: 'policies.get', status: 404 } });
  });

  test('a large batch is split into requests that the service takes', async () => {
    let requests = 0;
    const access = as(operatorToken(), {
      batch: true,
      fetch: (url: string, init: RequestInit) => {
        requests += 1;
        return fetch(url, init);
      },
    });
    const calls = Array.from({ length: 45 }, () => access.policies.get({ uuid: demonstration.spendPolicy }));
    const answers = await Promise.all(calls);
    expect(new Set(answers.map(({ uuid }) => uuid))).toEqual(new Set([demonstration.spendPolicy]));
    expect(requests).toBe(3);
  });

  test('a question that is too long for an address travels in a body', async () => {
    const contentKey = Array.from({ length: 200 }, (_, index) => `course-v1:${'X'.repeat(80)}+C${index}+2T2026`);
    const asked = as(learnerToken(LEARNER)).redemptions.canRedeem({
      enterpriseCustomerUuid: demonstration.customer,
      contentKey,
    });
    expect((await asked).map((answer) => answer.contentKey)).toEqual(contentKey);
  });

  test('dates in an input arrive as dates', async () => {
    const access = as(operatorToken());
    const lateRedemptionAllowedUntil = new Date('2027-05-01T10:00:00.000Z');
    const changed = await access.policies.update({ uuid: demonstration.assignedPolicy, lateRedemptionAllowedUntil });
    expect(changed.lateRedemptionAllowedUntil).toEqual(lateRedemptionAllowedUntil);
  });

  test('options can be changed for a copy; the token may be a function', async () => {
    const access = as('not.a.token');
    await expect(access.policies.get({ uuid: demonstration.spendPolicy })).rejects.toBeInstanceOf(InvalidTokenError);
    const mended = access.withOptions({ token: async () => operatorToken() });
    expect((await mended.policies.get({ uuid: demonstration.spendPolicy })).uuid).toBe(demonstration.spendPolicy);
  });

  describe('following a job', () => {
    const newRun = async (change: object = {}): Promise<string> => {
      const uuid = newUuid();
      const now = new Date('2026-06-01T12:00:00.000Z');
      const row = { uuid, name: 'test.long', enterprise_customer_uuid: demonstration.customer, state: 'waiting' };
      await world.db('job_runs').insert({ ...row, created: now, modified: now, ...change });
      return uuid;
    };
    const report = (uuid: string, change: object) => world.db('job_runs').where({ uuid }).update(change);

    test('each change is sent until the end, which ends the loop', async () => {
      const uuid = await newRun();
      const told: [string, number][] = [];
      for await (const answer of as(adminToken()).jobs.progress({ uuid })) {
        told.push([answer.state, answer.done]);
        expect(answer.created).toBeInstanceOf(Date);
        if (told.length === 1) await report(uuid, { state: 'active', done: 3, total: 10 });
        if (told.length === 2) await report(uuid, { state: 'completed', done: 10 });
      }
      expect(told).toEqual([
        ['waiting', 0],
        ['active', 3],
        ['completed', 10],
      ]);
      await vi.waitFor(() => expect(world.app.openStreams.size).toBe(0), UNTIL);
    });

    test('leaving the loop ends the stream', async () => {
      const uuid = await newRun({ state: 'active' });
      for await (const _answer of as(adminToken()).jobs.progress({ uuid })) break;
      await vi.waitFor(() => expect(world.app.openStreams.size).toBe(0), UNTIL);
      expect(world.runtime.jobRuns.followers).toBe(0);
    });

    test('an aborted signal ends the stream with its own error', async () => {
      const uuid = await newRun({ state: 'active' });
      const controller = new AbortController();
      const follow = async () => {
        for await (const _answer of as(adminToken()).jobs.progress({ uuid }, { signal: controller.signal })) {
          controller.abort(new Error('enough'));
        }
      };
      await expect(follow()).rejects.toBeInstanceOf(AbortedError);
      await vi.waitFor(() => expect(world.app.openStreams.size).toBe(0), UNTIL);
    });

    test('a lost connection resumes after the last event, and no event is repeated', async () => {
      const uuid = await newRun({ state: 'active', done: 1 });
      const asked: unknown[] = [];
      const access = as(adminToken(), {
        fetch: async (url: string, init: RequestInit) => {
          asked.push(JSON.parse(new URL(url).searchParams.get('input') ?? '').json.lastEventId);
          const response = await fetch(url, init);
          if (asked.length > 1 || !response.body) return response;
          // Breaks in the middle of the second answer.
          let seen = 0;
          const cut = new TransformStream<Uint8Array, Uint8Array>({
            transform(chunk, controller) {
              const text = new TextDecoder().decode(chunk);
              if (text.includes('"done":2')) return controller.error(new Error('socket hang up'));
              seen += chunk.length;
              if (seen > 0) controller.enqueue(chunk);
            },
          });
          return new Response(response.body.pipeThrough(cut), { status: 200, headers: response.headers });
        },
      });
      const told: number[] = [];
      for await (const { done } of access.jobs.progress({ uuid })) {
        told.push(done);
        if (done === 1) await report(uuid, { done: 2 });
        if (done === 2) await report(uuid, { state: 'completed', done: 3 });
      }
      expect(told).toEqual([1, 2, 3]);
      expect(asked).toEqual([undefined, expect.any(String)]);
    });

    test.each([
      ['a learner', () => learnerToken(LEARNER), PermissionDeniedError],
      ['a bad token', () => 'nonsense', InvalidTokenError],
    ])('%s is refused with the error of its class', async (_who, token, Class) => {
      const uuid = await newRun({ state: 'active' });
      const follow = async () => {
        for await (const _answer of as(token()).jobs.progress({ uuid })) break;
      };
      await expect(follow()).rejects.toBeInstanceOf(Class);
    });

    test('a service that stays away ends the loop after the retries', async () => {
      let calls = 0;
      const access = as(adminToken(), {
        maxRetries: 1,
        fetch: () => {
          calls += 1;
          return Promise.reject(new TypeError('fetch failed'));
        },
      });
      const follow = async () => {
        for await (const _answer of access.jobs.progress({ uuid: newUuid() })) break;
      };
      await expect(follow()).rejects.toBeInstanceOf(ConnectionError);
      expect(calls).toBe(2);
    });
  });
});
