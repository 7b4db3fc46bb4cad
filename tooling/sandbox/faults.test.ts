import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Sandbox } from './index.ts';
import { startSandbox } from './index.ts';
import { demo } from './seed.ts';
import { sandboxClient } from './testing.ts';

const ACCOUNTS = '/lms/api/user/v1/accounts';
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.close());
beforeEach(() => send('POST', '/control/reset'));

const send = (method: string, path: string, body?: object, signal?: AbortSignal) =>
  fetch(sandbox.url + path, {
    method,
    headers: { authorization: 'JWT x', 'x-request-id': 'r1', ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
const ask = (signal?: AbortSignal) => send('GET', `${ACCOUNTS}?lms_user_id=1000`, undefined, signal);

test.each([
  ['a prefix', { path: '/lms' }],
  ['an expression', { path: '/lms/.*/accounts$' }],
  ['an expression that is not anchored', { path: 'accounts' }],
  ['the query too', { path: 'lms_user_id=1000' }],
  ['a method', { path: '/', method: 'get' }],
])('a fault is found by %s, and goes when it is cleared', async (_case, where) => {
  await send('PUT', '/control/faults', { ...where, status: 503, body: { detail: 'busy' } });
  const reply = await ask();
  expect([reply.status, await reply.json(), reply.headers.get('x-request-id')]).toEqual([
    503,
    { detail: 'busy' },
    'r1',
  ]);
  await send('DELETE', '/control/faults');
  expect((await ask()).status).toBe(200);
});

test.each([
  ['another method', { path: '/lms', method: 'POST' }],
  ['another path', { path: '/catalog' }],
])('a fault for %s does nothing', async (_case, where) => {
  await send('PUT', '/control/faults', { ...where, status: 503 });
  expect((await ask()).status).toBe(200);
});

test('faults line up and are used up', async () => {
  await send('PUT', '/control/faults', [
    { path: '/lms', status: 503, times: 2 },
    { path: '/lms', status: 429, times: 1 },
  ]);
  const statuses = [];
  for (let n = 0; n < 4; n += 1) statuses.push((await ask()).status);
  expect(statuses).toEqual([503, 503, 429, 200]);
});

test('garbage is a page where JSON was due', async () => {
  await send('PUT', '/control/faults', { path: ACCOUNTS, garbage: true });
  const reply = await ask();
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/html']);
  await expect(reply.json()).rejects.toThrow();
});

test('a slow service still gives its real answer', async () => {
  await send('PUT', '/control/faults', { path: ACCOUNTS, latencyMs: 30 });
  const started = performance.now();
  expect((await ask()).status).toBe(200);
  expect(performance.now() - started).toBeGreaterThanOrEqual(25);
});

test('a dropped connection is an error of the connection', async () => {
  await send('PUT', '/control/faults', { path: ACCOUNTS, dropConnection: true, times: 1 });
  await expect(ask()).rejects.toThrow('fetch failed');
});

test('a lost reply is of a request that was carried out', async () => {
  const email = 'new@demo.example';
  const invite = { enterprise_customer: demo.customerUuid, user_email: email };
  const path = '/lms/enterprise/api/v1/pending-enterprise-learner/';
  await send('PUT', '/control/faults', { path, loseReply: true, times: 1 });
  await expect(send('POST', path, [invite])).rejects.toThrow('fetch failed');
  expect(sandbox.state.lms.customers.get(demo.customerUuid)?.pending.has(email)).toBe(true);
});

test('a hanging request neither answers nor keeps the sandbox from closing', async () => {
  const own = await startSandbox();
  await fetch(`${own.url}/control/faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: '/lms', hang: true }),
  });
  const hanging = fetch(own.url + ACCOUNTS).then(
    () => 'answered',
    () => 'cut off',
  );
  while (own.state.requests.size === 0) await new Promise((resolve) => setImmediate(resolve));
  await own.close();
  expect(await hanging).toBe('cut off');
});

test('requests are counted, faults included, control calls not', async () => {
  await send('PUT', '/control/faults', { path: '/lms', status: 500, times: 1 });
  await ask();
  await ask();
  await send('POST', '/braze/users/track', {});
  const count = async (query: string) => (await send('GET', `/control/requests${query}`)).json();
  expect(await count('?path=/lms')).toEqual({ total: 2, counts: { [`GET ${ACCOUNTS}`]: 2 } });
  expect(await count('')).toMatchObject({ total: 3 });
  await send('DELETE', '/control/requests');
  expect(await count('')).toEqual({ total: 0, counts: {} });
});

test('a misspelt fault is refused with the name of the field', async () => {
  const reply = await send('PUT', '/control/faults', { path: '/lms', latency: 5 });
  expect([reply.status, JSON.stringify(await reply.json())]).toEqual([400, expect.stringContaining('latency')]);
});

test('a taken port is an error and not a hang', async () => {
  await expect(startSandbox({ port: sandbox.port })).rejects.toThrow('EADDRINUSE');
});

test('Braze records what was sent, and refuses an empty campaign', async () => {
  const { call } = sandboxClient();
  const key = { authorization: 'Bearer key' };
  const alias = { alias_label: 'Enterprise', alias_name: 'A@x.example' };
  const recipients = [{ external_user_id: 42 }];
  const mail = { campaign_id: 'c1', trigger_properties: { a: 1 }, recipients, broadcast: false };
  const identify = { aliases_to_identify: [{ external_id: 42, user_alias: alias }] };
  expect((await call('POST', '/braze/users/alias/new', { user_aliases: [alias] }, key)).status).toBe(201);
  expect((await call('POST', '/braze/users/identify', identify, key)).status).toBe(201);
  const ids = await call('POST', '/braze/users/export/ids', { user_aliases: [alias] }, key);
  expect(ids.body.users).toEqual([{ external_id: '42', email: 'A@x.example' }]);
  const sent = await call('POST', '/braze/campaigns/trigger/send', mail, key);
  expect(sent.body).toMatchObject({ message: 'success', dispatch_id: expect.any(String) });
  const empty = await call('POST', '/braze/campaigns/trigger/send', { ...mail, campaign_id: '' }, key);
  expect(empty.status).toBe(400);
  const { body } = await call('GET', '/control/mails');
  expect(body.mails).toMatchObject([{ campaignId: 'c1', triggerProperties: { a: 1 }, recipients }]);
  expect(body.calls).toHaveLength(3);
});
