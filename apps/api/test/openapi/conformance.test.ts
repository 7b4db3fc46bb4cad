import { UpstreamFailure } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { judge } from '../support/conformance.ts';
import type { World } from '../support/examples.ts';
import { newBudget, redeemAs } from '../support/fixtures.ts';
import { demonstration, learnerToken, run, startApp } from '../support/harness.ts';

const PATH = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
const JSON_TYPE = 'application/json';
const body = (change: object = {}) => JSON.stringify({ lms_user_id: 1000, content_key: run, ...change });

type Headers = Readonly<Record<string, string>>;
interface Sent {
  readonly payload?: string;
  readonly headers?: Headers;
  readonly url?: string;
}

/** A redeem by learner 1000, with whatever is wrong about it; the reply is judged by the document. */
async function redeem(world: World, { payload = body(), headers = {}, url = PATH }: Sent = {}) {
  const authorization = `JWT ${learnerToken(1000)}`;
  const reply = await world.app.inject({
    method: 'POST',
    url,
    headers: { authorization, 'content-type': JSON_TYPE, ...headers },
    payload,
  });
  judge({ method: 'POST', url }, reply);
  return reply;
}

describe('replies as the document has them', () => {
  let world: World;
  beforeAll(async () => {
    world = await startApp('postgres');
  });
  afterAll(() => world.stop());

  test.each<[status: number, what: string, sent: Sent]>([
    [400, 'a field that is missing', { payload: '{}' }],
    [400, 'a body that is no JSON', { payload: '{"lms_user_id":' }],
    [400, 'a body that is no object', { payload: '[1]' }],
    [401, 'a token that is none', { headers: { authorization: 'JWT nonsense' } }],
    [403, 'the policy of somebody else', { url: PATH.replace(demonstration.spendPolicy, demonstration.otherPolicy) }],
    [413, 'a body beyond the limit', { payload: body({ metadata: { key: 'x'.repeat(8_100_000) } }) }],
    [415, 'a body of another type', { payload: '<a/>', headers: { 'content-type': 'application/xml' } }],
    [422, 'a course that is not in the catalog', { payload: body({ content_key: 'course-v1:edX+No+1' }) }],
    [200, 'a redeem', { headers: { 'idempotency-key': 'first' } }],
    [
      422,
      'a key that was used for something else',
      { payload: body({ metadata: {} }), headers: { 'idempotency-key': 'first' } },
    ],
  ])('%i: %s', async (status, _what, sent) => {
    const reply = await redeem(world, sent);
    expect(reply.statusCode, reply.body).toBe(status);
  });

  test('503: the LMS does not answer', async () => {
    const { customer, policy } = await newBudget(world);
    const { lms } = world.runtime;
    Object.assign(world.runtime, {
      lms: { ...lms, learner: () => Promise.reject(new UpstreamFailure('lms', 'did not answer')) },
    });
    try {
      expect((await redeemAs(world, policy, customer, 1)).status).toBe(503);
    } finally {
      Object.assign(world.runtime, { lms });
    }
  });

  test('500: an undeclared failure', async () => {
    const { ownerOf } = world.runtime;
    Object.assign(world.runtime, { ownerOf: () => Promise.reject(new Error('a defect')) });
    try {
      expect((await redeem(world)).statusCode).toBe(500);
    } finally {
      Object.assign(world.runtime, { ownerOf });
    }
  });

  test('429: more requests than a caller may send', async () => {
    const busy = await startApp('postgres', { env: { THROTTLE_ACTOR_PER_MINUTE: '1' } });
    try {
      await redeem(busy);
      const reply = await redeem(busy);
      expect(reply.statusCode).toBe(429);
      expect(reply.headers).toHaveProperty('retry-after');
    } finally {
      await busy.stop();
    }
  });
});

test.each<[string, { statusCode: number; text: string; type?: string }, RegExp]>([
  ['a status that is not listed', { statusCode: 418, text: '{}' }, /418 is not documented/],
  [
    'a field that is not listed',
    { statusCode: 404, text: '{"detail":"Not found.","more":1}' },
    /additional properties/,
  ],
  ['a field that is missing', { statusCode: 404, text: '{}' }, /required property 'detail'/],
  ['another type', { statusCode: 404, text: 'gone', type: 'text/plain' }, /is text\/plain/],
])('the judge refuses %s', (_case, { statusCode, text, type = JSON_TYPE }, expected) => {
  const reply = { statusCode, body: text, headers: { 'content-type': type } };
  expect(() => judge({ method: 'POST', url: PATH }, reply)).toThrow(expected);
});

test('addresses that the document does not list are not judged', () => {
  judge({ method: 'GET', url: '/health/' }, { statusCode: 418, body: '', headers: {} });
});
