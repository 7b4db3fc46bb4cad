import { once } from 'node:events';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { demonstration, learnerToken, operatorToken, run, startApp } from '../support/harness.ts';

const list = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${demonstration.customer}`;
const FRONT_END = 'https://portal.example';

describe('requests without a token', () => {
  let world: World;
  beforeEach(async () => {
    world = await startApp('postgres', { env: { THROTTLE_ANONYMOUS_PER_MINUTE: '2', TRUST_PROXY: 'true' } });
  });
  afterEach(() => world.stop());
  const from = async (forwarded: string, headers: Record<string, string> = {}) => {
    const reply = await world.call('GET', list, null, undefined, { 'x-forwarded-for': forwarded, ...headers });
    return { status: reply.status, retryAfter: reply.headers['retry-after'] };
  };

  test('count for the address that the proxy saw, whatever their sender wrote before it', async () => {
    const statuses = [];
    for (let n = 0; n < 4; n += 1) statuses.push((await from(`10.0.0.${n}, 9.9.9.9`)).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
    expect((await from('9.9.9.9, 8.8.8.8')).status).toBe(401);
  });

  test('count as well when they bring a token that is not accepted', async () => {
    const replies = [];
    for (let n = 0; n < 3; n += 1) replies.push(await from('7.7.7.7', { authorization: 'JWT none' }));
    expect(replies.map(({ status }) => status)).toEqual([401, 401, 429]);
    expect(Number(replies[2]?.retryAfter)).toBeGreaterThan(0);
    expect(
      (await world.call('GET', list, learnerToken(1_000), undefined, { 'x-forwarded-for': '7.7.7.7' })).status,
    ).toBe(200);
  });
});

test('the health check answers soon if the pool has no connection', async () => {
  const world = await startApp('postgres', { poolSize: 1 });
  const held = await world.db.transaction();
  const started = performance.now();
  const replies = await Promise.all(['/ready', '/health/'].map((url) => world.app.inject({ url })));
  expect(replies.map(({ statusCode }) => statusCode)).toEqual([503, 503]);
  expect(replies[1]?.json()).toEqual({
    overall_status: 'UNAVAILABLE',
    detailed_status: { database_status: 'UNAVAILABLE' },
  });
  // The pool itself lets callers wait for fifteen.
  expect(performance.now() - started).toBeLessThan(10_000);
  await held.rollback();
  expect((await world.app.inject({ url: '/live' })).statusCode).toBe(200);
  await world.stop();
});

test('links of pages lead to the public address, whatever host the request line names', async () => {
  const world = await startApp('postgres');
  const { hostname, port } = new URL(await world.app.listen({ host: '127.0.0.1', port: 0 }));
  const headers = { authorization: `JWT ${learnerToken(1_000)}` };
  const asked = request({ hostname, port, headers, path: `http://evil.example${list}&page_size=1` }).end();
  const [reply] = await once(asked, 'response');
  expect(await json(reply)).toMatchObject({
    next: `${world.runtime.settings.publicUrl}${list}&page_size=1&page=2`,
  });
  await world.stop();
});

test('the largest list that a contract takes fits into a request', async () => {
  const world = await startApp('postgres');
  const line = `${'a'.repeat(87)}@acme.example\n`;
  const csv = line.repeat(50_000).slice(0, 5_000_000);
  const path = `/api/v1/policy-allocation/${demonstration.spendPolicy}/allocate-in-bulk/`;
  const reply = await world.call('POST', path, operatorToken(), { content_key: run, content_price_cents: 'none', csv });
  expect(reply).toMatchObject({ status: 400, body: { content_price_cents: [expect.any(String)] } });
  expect(reply.body).not.toHaveProperty('csv');
  await world.stop();
});

test('pages of known front ends may send what they need, and no others anything', async () => {
  const world = await startApp('postgres', {
    env: { CORS_ORIGINS: FRONT_END, CORS_ALLOW_HEADERS_EXTRA: 'x-of-ours, X-Another' },
  });
  const ask = async (origin: string) => {
    const headers = { origin, 'access-control-request-method': 'POST' };
    return (await world.app.inject({ method: 'OPTIONS', url: '/trpc/policies.create', headers })).headers;
  };
  const allowed = await ask(FRONT_END);
  expect(allowed['access-control-allow-origin']).toBe(FRONT_END);
  expect(allowed['access-control-max-age']).toBe('86400');
  expect(await ask('http://localhost:1991')).not.toHaveProperty('access-control-allow-origin');
  const tracing = ['traceparent', 'tracestate', 'baggage'];
  expect(String(allowed['access-control-allow-headers']).split(', ')).toEqual(
    expect.arrayContaining([...tracing, 'trpc-accept', 'idempotency-key', 'use-jwt-cookie', 'x-of-ours', 'X-Another']),
  );
  expect(await ask('https://evil.example')).not.toHaveProperty('access-control-allow-origin');
  await world.stop();
});

test('pages on any port of localhost may call the sandbox, with cookies, and no others', async () => {
  const world = await startApp('postgres', { env: { SANDBOX: 'true' } });
  const ask = async (origin: string) => {
    const headers = { origin, 'access-control-request-method': 'POST' };
    return (await world.app.inject({ method: 'OPTIONS', url: '/trpc/policies.create', headers })).headers;
  };
  for (const origin of ['http://localhost:1991', 'http://127.0.0.1:8080', 'http://[::1]:3000', 'http://localhost'])
    expect((await ask(origin))['access-control-allow-origin']).toBe(origin);
  for (const origin of ['http://localhost.evil.example', 'http://evil.example', 'http://localhost:1991.evil.example'])
    expect(await ask(origin)).not.toHaveProperty('access-control-allow-origin');
  const cookie = `edx-jwt-cookie=${operatorToken()}; enterprise_access_csrftoken=abc`;
  const post = async (origin: string) => {
    const headers = { cookie, origin, 'x-csrftoken': 'abc' };
    const url = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
    return (await world.app.inject({ method: 'POST', url, headers, payload: {} })).statusCode;
  };
  expect(await post('http://localhost:1991')).toBe(400);
  expect(await post('http://evil.example')).toBe(401);
  await world.stop();
});
