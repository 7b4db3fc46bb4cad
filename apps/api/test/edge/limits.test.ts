import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { DEFAULT_BODY_LIMIT_BYTES, service } from '@enterprise-access/domain';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isOutOfBounds } from '../../src/plugins/json-bounds.ts';
import type { World } from '../support/examples.ts';
import { demonstration, dialects, operatorToken, run, startApp, tokenFor } from '../support/harness.ts';

const REDEEM = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
const IN_BULK = `/api/v1/policy-allocation/${demonstration.spendPolicy}/allocate-in-bulk/`;
const LIST = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${demonstration.customer}`;
const staffToken = () => tokenFor('enterprise_learner', demonstration.customer, 70, { isStaff: true });

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

interface Heard {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends bytes as they are, and reads one reply. */
async function raw(port: number, ...parts: string[]): Promise<Heard> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  for (const part of parts) socket.write(part);
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const isWhole = parts[0]?.startsWith('HEAD ') || body.length >= length;
    if (text.includes('\r\n\r\n') && isWhole) return { status: Number(head.split(' ')[1]), head, body };
  }
  throw new Error(`There was no reply: ${text}`);
}

const head = (method: string, path: string, headers: Record<string, string | number>) =>
  [
    `${method} ${path} HTTP/1.1`,
    ...Object.entries({ Host: 'access.test', 'Content-Type': 'application/json', ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
    '',
    '',
  ].join('\r\n');

const asOperator = () => ({ Authorization: `JWT ${operatorToken()}` });

describe.each(dialects)('bodies and connections on %s', (dialect) => {
  let world: World;
  let port: number;
  beforeAll(async () => {
    world = await startApp(dialect, { env: { BODY_TIMEOUT_MS: '500' } });
    port = Number(new URL(await world.app.listen({ host: '127.0.0.1', port: 0 })).port);
  });
  afterAll(() => world.stop());

  test.each([
    ['REST', REDEEM, 401],
    ['tRPC', '/trpc/redemptions.redeem', 401],
    ['a tRPC batch', '/trpc/redemptions.redeem,redemptions.redeem?batch=1', 401],
    ['a method that is not there', `/api/v1/subsidy-access-policies/${demonstration.spendPolicy}/`, 405],
    ['a path that is not there', '/nowhere', 404],
    ['the documents', '/openapi.json', 404],
  ])('an anonymous caller is answered before the body arrives: %s', async (_where, path, status) => {
    const reply = await raw(port, head('POST', path, { 'Content-Length': 7_800_000 }), '[[],');
    expect(reply.status).toBe(status);
    expect(reply.head).not.toMatch(/connection: close/i);
  });

  test.each([
    ['REST', REDEEM],
    ['tRPC', '/trpc/redemptions.redeem'],
  ])('413 arrives although the client is still sending: %s', async (_where, path) => {
    const body = JSON.stringify({ metadata: 'x'.repeat(8_000_000) });
    for (const framing of [{ 'Content-Length': body.length }, { 'Transfer-Encoding': 'chunked' }] as const) {
      const sent = 'Content-Length' in framing ? body : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
      const reply = await raw(port, head('POST', path, { ...asOperator(), ...framing }), sent);
      expect(reply.status).toBe(413);
      expect(reply.body).toContain('Request body is too large.');
    }
  });

  test.each([
    ['REST', REDEEM],
    ['tRPC', '/trpc/redemptions.redeem'],
  ])('in a flood of refused bodies refusals are sent late, and nobody else waits: %s', async (_where, path) => {
    const unfinished = () => raw(port, head('POST', path, { 'Content-Length': 7_800_000 }), '[[],');
    const timed = async (work: () => Promise<Heard>) => {
      const started = performance.now();
      return { status: (await work()).status, ms: performance.now() - started };
    };
    const held = () => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      sockets.push(socket);
      socket.write(`${head('POST', path, { 'Content-Length': 7_800_000 })}[[],`);
      return once(socket, 'data');
    };
    await Promise.all(Array.from({ length: 16 }, held));
    const [refused, served] = await Promise.all([
      timed(unfinished),
      timed(() => raw(port, head('GET', LIST, asOperator()))),
    ]);
    expect(refused).toEqual({ status: 401, ms: expect.toSatisfy((ms: number) => ms >= 990) });
    expect(served).toEqual({ status: 200, ms: expect.toSatisfy((ms: number) => ms < 900) });
    for (const socket of sockets.splice(0)) socket.destroy();
    await setTimeout(100);
    expect(await timed(unfinished)).toEqual({ status: 401, ms: expect.toSatisfy((ms: number) => ms < 900) });
  });

  test('a body that does not arrive in time is 408, over REST and tRPC', async () => {
    for (const path of [REDEEM, '/trpc/redemptions.redeem']) {
      const reply = await raw(port, head('POST', path, { ...asOperator(), 'Content-Length': 100 }), '{"a"');
      expect(reply.status).toBe(408);
    }
  });

  test('an operation that declares more takes more; a tRPC batch takes as much as its operations together', async () => {
    const post = async (url: string, payload: string) => {
      const headers = { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' };
      return (await world.app.inject({ method: 'POST', url, headers, payload })).statusCode;
    };
    const of = (bytes: number) => JSON.stringify({ json: { csv: 'x'.repeat(bytes) } });
    expect(await post(IN_BULK, of(1_000_000))).toBe(400);
    expect(await post('/trpc/policies.allocateInBulk', of(1_000_000))).not.toBe(413);
    expect(await post('/trpc/redemptions.canRedeem', of(70_000))).toBe(413);
    const two = '/trpc/redemptions.canRedeem,redemptions.canRedeem?batch=1';
    expect(await post(two, `{"0":${of(70_000)}}`)).not.toBe(413);
    expect(await post(two, `{"0":${of(140_000)}}`)).toBe(413);
  });

  test('one caller has two large bodies in transit at most', async () => {
    const large = () => {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      socket.write(head('POST', IN_BULK, { ...asOperator(), 'Content-Length': 1_000_000 }) + 'x'.repeat(200_000));
      return socket;
    };
    const [first, second, third] = [large(), large(), large()];
    const [reply] = await Promise.race([first, second, third].map((socket) => once(socket, 'data')));
    expect(String(reply)).toMatch(/^HTTP\/1\.1 429[\s\S]*retry-after: \d+/i);
    for (const socket of [first, second, third]) socket.destroy();
    // What broke off gives its place back.
    const body = JSON.stringify({ csv: 'x'.repeat(200_000) });
    for (;;) {
      const again = await raw(port, head('POST', IN_BULK, { ...asOperator(), 'Content-Length': body.length }), body);
      if (again.status === 400) break;
      expect(again.status).toBe(429);
      await setImmediate();
    }
  });

  test('JSON that is nested too deeply or has too many values is refused unparsed, over REST and tRPC', async () => {
    const headers = { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' };
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    const wide = `{"json":{"csv":[${'[],'.repeat(2_000_000)}[]]}}`;
    for (const [url, payload] of [
      [REDEEM, `{"metadata":${deep}}`],
      ['/trpc/redemptions.redeem', `{"json":${deep}}`],
      [IN_BULK, wide],
      ['/trpc/policies.allocateInBulk', wide],
    ] as const) {
      const reply = await world.app.inject({ method: 'POST', url, headers, payload });
      expect(reply.statusCode, url).toBe(400);
      expect(reply.body).toContain('nested too deeply or holds too many values');
    }
    const asked = await world.app.inject({ url: `/trpc/policies.list?input=${deep}`, headers });
    expect(asked.statusCode).toBe(400);
    expect(asked.body).toContain('nested too deeply');
  });

  test('an address that is too long is 431, in the form of other refusals', async () => {
    const reply = await raw(port, head('GET', `${LIST}&x=${'x'.repeat(70_000)}`, asOperator()));
    expect(reply.status).toBe(431);
    expect(JSON.parse(reply.body)).toEqual({ detail: expect.stringContaining('too long') });
  });

  test('the longest list of a GET fits into an address', async () => {
    const keys = Array.from({ length: 200 }, (_, n) => `course-v1:${'e'.repeat(180)}+x+${1_000 + n}`);
    const query = new URLSearchParams(keys.map((key): [string, string] => ['content_key', key]));
    const path = `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?${query}`;
    expect((await raw(port, head('GET', path, asOperator()))).status).toBe(200);
  });
});

test('one address holds a quarter of the connections at most', async () => {
  const world = await startApp('postgres', { env: { CONNECTION_LIMIT: '10' } });
  const port = Number(new URL(await world.app.listen({ host: '127.0.0.1', port: 0 })).port);
  const open = () => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    return socket;
  };
  const held = [open(), open(), open()];
  await Promise.all(held.map((socket) => once(socket, 'connect')));
  const [hadError] = await once(
    open().on('error', () => undefined),
    'close',
  );
  expect(typeof hadError).toBe('boolean');
  held[0]?.destroy();
  // As soon as one is given back another one can be had.
  for (;;) {
    try {
      expect((await raw(port, head('GET', '/live', {}))).status).toBe(200);
      break;
    } catch {
      await setImmediate();
    }
  }
  await world.stop();
});

test.each([
  ['{"a":[1,2,{"b":"[[[[,,,,"}]}', false],
  [`"${'\\"['.repeat(1_000)}"`, false],
  [`"${'\\\\'.repeat(1_000)}"${'['.repeat(101)}`, true],
  [`"${'['.repeat(1_000)}`, false],
  [`${'['.repeat(100)}${']'.repeat(100)}`, false],
  [`${'['.repeat(101)}`, true],
  [`[${'1,'.repeat(100_000)}1]`, true],
  [`[${'1,'.repeat(99_999)}1]`, false],
])('brackets and commas outside of strings are counted: case %#', (text, expected) => {
  expect(isOutOfBounds(text)).toBe(expected);
});

/** Bytes of the longest JSON of a schema, without escapes; texts without a bound count as long identifiers. */
function longest(schema: unknown): number {
  const {
    type,
    format,
    anyOf,
    maxLength,
    maxItems,
    items,
    properties,
    enum: values,
    propertyNames,
  } = schema as {
    type?: string;
    format?: string;
    anyOf?: unknown[];
    maxLength?: number;
    maxItems?: number;
    items?: unknown;
    properties?: Record<string, unknown>;
    enum?: unknown[];
    propertyNames?: unknown;
  };
  if (anyOf) return Math.max(...anyOf.map(longest));
  if (values) return Math.max(...values.map((value) => JSON.stringify(value).length));
  if (type === 'array') return (maxItems ?? 1) * (longest(items ?? {}) + 1) + 2;
  if (properties && !propertyNames)
    return Object.entries(properties).reduce((sum, [name, field]) => sum + name.length + 4 + longest(field), 2);
  if (type === 'string') return (format === 'uuid' ? 36 : (maxLength ?? 255)) + 2;
  return 30;
}

const declarations = [...service.operations, ...service.streams].map(({ id, contract }) => [id, contract] as const);

test.each(declarations)('the longest input of %s fits into its body limit', (id, contract) => {
  const size = longest(z.toJSONSchema(contract.input, { io: 'input', unrepresentable: 'any' }));
  const limit = contract.bodyLimitBytes ?? DEFAULT_BODY_LIMIT_BYTES;
  // A list of addresses and a CSV text are alternatives there, and no list is full of addresses of the longest kind.
  if (id === 'policies.allocateInBulk') expect(limit).toBeGreaterThan(5_000_000);
  else expect(size).toBeLessThanOrEqual(limit);
});

describe('malformed hosts, methods and inputs', () => {
  let world: World;
  let port: number;
  const ROUTES = [
    LIST,
    REDEEM,
    '/api/v2/x/',
    '/trpc/policies.list',
    '/trpc/a,b?batch=1',
    '/jobs',
    '/jobs/queues/x',
    '/docs',
    '/docs/',
    '/openapi.json',
    '/health/',
    '/ready',
    '/live',
    '/metrics',
    '/csrf/api/v1/token',
    '/nowhere',
  ];
  beforeAll(async () => {
    const { createTestDatabase } = await import('@enterprise-access/db/testing');
    const { inject } = await import('vitest');
    const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    world = await startApp('postgres', { env: { JOBS_DATABASE_URL: queues.url } });
    port = Number(new URL(await world.app.listen({ host: '127.0.0.1', port: 0 })).port);
    return () => queues.drop();
  });
  afterAll(() => world.stop());

  const callers = [
    ['nobody', () => ({})],
    ['an operator', asOperator],
    ['staff', () => ({ Authorization: `JWT ${staffToken()}` })],
  ] as const;

  test.each(callers)('an invalid host is 400 on every route: %s', async (_who, headers) => {
    for (const path of ROUTES) {
      for (const host of ['[', '', 'a b', '999.999.999.999', 'x:99999', '[::1', 'a/b', 'a@b', 'a?b', '%']) {
        const reply = await raw(port, head('GET', path, { ...headers(), Host: host }));
        expect({ path, host, status: reply.status }).toEqual({ path, host, status: 400 });
      }
      for (const target of [`http://[${path}`, `http://a b${path}`, '*', 'http://%/', '\\']) {
        const reply = await raw(port, head('GET', target, headers()));
        expect(reply.status, target).toBeLessThan(500);
      }
    }
  });

  test.each(callers)('no route answers an unusual method with a 500: %s', async (_who, headers) => {
    for (const path of ROUTES) {
      for (const method of ['TRACE', 'PROPFIND', 'OPTIONS', 'PUT', 'HEAD', 'LOCK']) {
        const reply = await raw(port, head(method, path, headers()));
        expect(reply.status, `${method} ${path}`).toBeLessThan(500);
        if (method === 'TRACE') expect({ path, status: reply.status }).toEqual({ path, status: 405 });
      }
    }
  });

  test.each(['null', '1', '"x"', '[]', '{}', '{"json"', '{"json":{},"meta":{"values":1}}', '{"json":{},"meta":[]}'])(
    'what is wrong with the input %s is said in our words, over GET and POST, alone and in a batch',
    async (input) => {
      const headers = { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' };
      const batch = `{"0":${input}}`;
      for (const [query, payload] of [
        ['', input],
        ['batch=1', batch],
      ] as const) {
        const url = `/trpc/policies.list?${query}`;
        const replies = [
          await world.app.inject({ url: `${url}&input=${encodeURIComponent(payload)}`, headers }),
          await world.app.inject({ method: 'POST', url, headers, payload }),
        ];
        for (const reply of replies) {
          expect(reply.statusCode, reply.body).toBe(400);
          expect(reply.body).not.toMatch(/undefined|destructure|Cannot|Unexpected|position|superjson|JSON/);
        }
      }
    },
  );

  test('long values are not repeated whole', async () => {
    const long = 'x'.repeat(20_000);
    const headers = { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' };
    const ask = async (method: 'GET' | 'POST', url: string, payload?: object, more = {}) =>
      world.app.inject({ method, url, headers: { ...headers, ...more }, ...(payload ? { payload } : {}) });
    const replies = [
      await ask('POST', '/api/v1/subsidy-access-policies/', { policy_type: long, access_method: long }),
      await ask('POST', REDEEM, { lms_user_id: 1, content_key: long, [long]: 1 }),
      await ask(
        'GET',
        `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?content_key=${long}`,
      ),
      await ask('POST', REDEEM, {}, { 'content-type': `text/${long}` }),
      await ask('GET', `/trpc/${long}`),
      await ask('POST', `/trpc/policies.list`, {}, { 'content-type': `text/${long}` }),
    ];
    for (const [index, reply] of replies.entries()) {
      expect(reply.statusCode, String(index)).toBeLessThan(500);
      expect(reply.body.length, `${index}: ${reply.statusCode}`).toBeLessThan(2_000);
    }
  });

  test('several mutations in one tRPC batch cannot share an Idempotency-Key; nothing is done', async () => {
    const headers = {
      authorization: `JWT ${operatorToken()}`,
      'idempotency-key': 'k',
      'content-type': 'application/json',
    };
    const input = { json: { policyUuid: demonstration.spendPolicy, lmsUserId: 1_000, contentKey: run } };
    const redeem = (url: string, body: object) => world.app.inject({ method: 'POST', url, headers, payload: body });
    const both = await redeem('/trpc/redemptions.redeem,redemptions.redeem?batch=1', { 0: input, 1: input });
    expect(both.statusCode).toBe(400);
    expect(both.body).toContain('send each in a request of its own');
    expect(await world.db('redemptions')).toEqual([]);
    expect((await redeem('/trpc/redemptions.redeem?batch=1', { 0: input })).statusCode).toBe(200);
  });

  test('a key in use says when to try again, over REST and tRPC', async () => {
    const now = world.runtime.clock();
    await world.call(
      'PATCH',
      `/api/v1/subsidy-access-policies/${demonstration.spendPolicy}/`,
      operatorToken(),
      { description: 'x' },
      { 'idempotency-key': 'busy' },
    );
    await world.db('idempotency_records').where({ idempotency_key: 'busy' }).update({ reply: null, started: now });
    const headers = { authorization: `JWT ${operatorToken()}`, 'idempotency-key': 'busy' };
    const url = `/api/v1/subsidy-access-policies/${demonstration.spendPolicy}/`;
    const overRest = await world.app.inject({ method: 'PATCH', url, headers, payload: { description: 'x' } });
    const [{ operation } = { operation: '' }] = await world
      .db('idempotency_records')
      .where({ idempotency_key: 'busy' });
    const input = { json: { uuid: demonstration.spendPolicy, description: 'x' } };
    const overTrpc = await world.app.inject({ method: 'POST', url: `/trpc/${operation}`, headers, payload: input });
    for (const reply of [overRest, overTrpc])
      expect({ status: reply.statusCode, retryAfter: reply.headers['retry-after'] }).toEqual({
        status: 409,
        retryAfter: '1',
      });
  });
});
