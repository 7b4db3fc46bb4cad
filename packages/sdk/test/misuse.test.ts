import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeToken } from '@enterprise-access/start/token';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { demonstration, dialects, operatorToken, SECRET, startApp } from '../../../apps/api/test/support/harness.ts';
import { EnterpriseAccess, EnterpriseAccessError, type Outcome, TimeoutError } from '../src/index.ts';

const uuid = '0198c0de-0000-7000-8000-000000000001';
/** What a library or a parser says; nobody who calls an operation wants to read it. */
const RAW = /Unexpected|JSON at|SyntaxError|fetch failed|undefined|ECONN|ENOTFOUND|<html|terminated/i;

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

/** Whatever a server says, in place of the service. */
async function serve(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

const failureOf = async (call: PromiseLike<unknown>): Promise<EnterpriseAccessError> => {
  const outcome = await Promise.resolve(call).then(
    () => null,
    (error: unknown) => error,
  );
  if (!(outcome instanceof EnterpriseAccessError)) throw new Error(`No failure of ours: ${outcome}`);
  expect(outcome.message).not.toMatch(RAW);
  expect(outcome.operation).not.toBe('');
  return outcome;
};

const good = JSON.stringify({ result: { data: { json: { uuid } } } });
const html = '<html><body>Welcome</body></html>';

const rows: readonly [name: string, listener: RequestListener, expected: object, tries: number][] = [
  [
    'another site under this address',
    (_request, reply) => reply.setHeader('content-type', 'text/html').end(html),
    { code: 'unreadable_reply', status: 200, isRetryable: false, details: { contentType: 'text/html' } },
    1,
  ],
  [
    'another site that has no such page',
    (_request, reply) => reply.writeHead(404, { 'content-type': 'text/html' }).end(html),
    { code: 'http_404', name: 'Http404Error', status: 404, isRetryable: false },
    1,
  ],
  [
    'another service that speaks JSON',
    (_request, reply) => reply.setHeader('content-type', 'application/json').end('{"hello":"world"}'),
    { code: 'unreadable_reply', isRetryable: false },
    1,
  ],
  [
    'JSON that is no object',
    (_request, reply) => reply.setHeader('content-type', 'application/json').end('null'),
    { code: 'unreadable_reply', isRetryable: false },
    1,
  ],
  [
    'an answer with notes that do not fit',
    (_request, reply) =>
      reply
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ result: { data: { json: {}, meta: { values: { a: ['Date'] } } } } })),
    { code: 'unreadable_reply', isRetryable: false },
    1,
  ],
  [
    'a body that ends early',
    (_request, reply) => reply.setHeader('content-type', 'application/json').end(good.slice(0, 20)),
    { code: 'unreadable_reply', status: 200, isRetryable: true },
    3,
  ],
  [
    'a connection that breaks in the middle of the body',
    (_request, reply) => {
      reply.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      reply.write(good.slice(0, 20), () => reply.destroy());
    },
    { code: 'connection', status: null, isRetryable: true },
    3,
  ],
  [
    'a connection that breaks before anything',
    (request) => request.socket.destroy(),
    { code: 'connection', status: null, isRetryable: true },
    3,
  ],
  ['204', (_request, reply) => reply.writeHead(204).end(), { code: 'unreadable_reply', status: 204 }, 1],
  [
    '413 from a proxy',
    (_request, reply) => reply.writeHead(413, { 'content-type': 'text/html' }).end(html),
    { code: 'http_413', status: 413, isRetryable: false },
    1,
  ],
  [
    '502 from a proxy',
    (_request, reply) => reply.writeHead(502, { 'content-type': 'text/html' }).end(html),
    { code: 'http_502', status: 502, isRetryable: true },
    3,
  ],
  [
    '502 from a proxy that promises JSON',
    (_request, reply) => reply.writeHead(502, { 'content-type': 'application/json' }).end('{'),
    { code: 'http_502', status: 502, isRetryable: true },
    3,
  ],
  [
    '503 that asks to come back in an hour',
    (_request, reply) => reply.writeHead(503, { 'retry-after': '3600' }).end(),
    { code: 'http_503', isRetryable: true, retryAfterMs: 3_600_000 },
    1,
  ],
  [
    'a declared error that this client does not know yet',
    (_request, reply) =>
      reply.writeHead(422, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          error: {
            json: { message: 'Too new.', data: { httpStatus: 422, domain: { code: 'too_new', details: { a: 1 } } } },
          },
        }),
      ),
    { code: 'too_new', name: 'TooNewError', message: 'Too new.', status: 422, details: { a: 1 } },
    1,
  ],
];

describe('what is not the service gives a documented error', () => {
  let servers: Server[] = [];
  afterEach(() => {
    vi.useRealTimers();
    for (const server of servers) server.close().closeAllConnections();
    servers = [];
  });
  beforeEach(() => void unhandled.splice(0));

  describe.each([
    ['a query', (access: EnterpriseAccess) => access.policies.get({ uuid })],
    ['a mutation', (access: EnterpriseAccess) => access.policies.deactivate({ uuid })],
    [
      'a list',
      (access: EnterpriseAccess) => access.policies.list({ enterpriseCustomerUuid: uuid }).toArray({ limit: 3 }),
    ],
    ['a batch', (access: EnterpriseAccess) => Promise.all([access.policies.get({ uuid }), access.jobs.get({ uuid })])],
  ])('to %s', (kind, call) => {
    test.each(rows)('%s', async (_name, listener, expected, tries) => {
      // Only the pauses between attempts; what the network does takes its own time.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const pump = setInterval(() => vi.advanceTimersByTime(10_000), 5);
      let requests = 0;
      const keys = new Set<unknown>();
      const { url, server } = await serve((request, reply) => {
        requests += 1;
        keys.add(request.headers['idempotency-key']);
        request.resume();
        listener(request, reply);
      });
      servers.push(server);
      const access = new EnterpriseAccess({ baseUrl: url, token: 'a.b.c', batch: kind === 'a batch', timeoutMs: 0 });
      const error = await failureOf(call(access)).finally(() => clearInterval(pump));
      expect(error).toMatchObject(expected);
      if (kind !== 'a batch') expect(requests).toBe(tries);
      // Repeats of a mutation are the same call to the service.
      expect(keys.size).toBe(1);
      expect([...keys][0] === undefined).toBe(kind !== 'a mutation');
      expect(unhandled).toEqual([]);
    });
  });

  test('a stream returns the same', async () => {
    const { url, server } = await serve((_request, reply) => reply.setHeader('content-type', 'text/html').end(html));
    servers.push(server);
    const follow = async () => {
      for await (const _answer of new EnterpriseAccess({ baseUrl: url }).jobs.progress({ uuid })) break;
    };
    expect(await failureOf(follow())).toMatchObject({ code: 'unreadable_reply' });
  });

  test('a server that does not answer in time', async () => {
    const { url, server } = await serve((request) => void request.resume());
    servers.push(server);
    const access = new EnterpriseAccess({ baseUrl: url, timeoutMs: 20, maxRetries: 0 });
    const error = await failureOf(access.policies.get({ uuid }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'timeout', isRetryable: true, details: { timeoutMs: 20 } });
  });

  test('a server that stops in the middle of its answer', async () => {
    const { url, server } = await serve((_request, reply) => {
      reply.writeHead(200, { 'content-type': 'application/json' });
      reply.write(good.slice(0, 20));
    });
    servers.push(server);
    const access = new EnterpriseAccess({ baseUrl: url, timeoutMs: 100, maxRetries: 0 });
    expect(await failureOf(access.policies.get({ uuid }))).toMatchObject({ code: 'timeout' });
  });

  test.each([
    ['before the call', true],
    ['while it waits for the reply', false],
  ])('a signal that is aborted %s', async (_when, before) => {
    const controller = new AbortController();
    const { url, server } = await serve(() => controller.abort('enough'));
    servers.push(server);
    if (before) controller.abort('enough');
    for (const batch of [false, true]) {
      const access = new EnterpriseAccess({ baseUrl: url, batch });
      const calls = [1, 2].map(() => failureOf(access.policies.get({ uuid }, { signal: controller.signal })));
      for (const error of await Promise.all(calls)) {
        expect(error).toMatchObject({ code: 'aborted', isRetryable: false, cause: 'enough' });
      }
    }
    expect(unhandled).toEqual([]);
  });

  test('a signal that is aborted between two attempts ends the pause', async () => {
    const controller = new AbortController();
    const { url, server } = await serve((_request, reply) => reply.writeHead(503, { 'retry-after': '60' }).end());
    servers.push(server);
    const hooks = { onResponse: ({ retryInMs }: Outcome) => void (retryInMs && controller.abort('enough')) };
    const access = new EnterpriseAccess({ baseUrl: url, hooks });
    const error = await failureOf(access.policies.get({ uuid }, { signal: controller.signal }));
    expect(error).toMatchObject({ code: 'aborted', cause: 'enough' });
  });

  test.each([-24, 24])('a clock that is off by %i hours makes no difference', async (hours) => {
    let requests = 0;
    const { url, server } = await serve((_request, reply) => {
      requests += 1;
      if (requests > 1) return reply.setHeader('content-type', 'application/json').end(good);
      const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
      return reply.writeHead(503, { date, 'retry-after': date }).end();
    });
    servers.push(server);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hours * 3_600_000 });
    const waits: (number | null)[] = [];
    const hooks = { onResponse: ({ retryInMs }: Outcome) => void waits.push(retryInMs) };
    expect(await new EnterpriseAccess({ baseUrl: url, hooks }).policies.get({ uuid })).toEqual({ uuid });
    expect(waits).toEqual([0, null]);
  });

  test.each([
    ['fails', () => Promise.reject(new Error('no session'))],
    [
      'fails at once',
      () => {
        throw new Error('no session');
      },
    ],
    ['is none', () => 'line\nbreak'],
  ])('a token that %s', async (_what, token) => {
    const { url, server } = await serve((_request, reply) => void reply.end());
    servers.push(server);
    const error = await failureOf(new EnterpriseAccess({ baseUrl: url, token }).policies.get({ uuid }));
    expect(error).toMatchObject({ code: 'request', isRetryable: false, cause: expect.any(Error) });
  });

  test('a token that never comes', async () => {
    const { url, server } = await serve((_request, reply) => void reply.end());
    servers.push(server);
    const token = () => new Promise<string>(() => undefined);
    const access = new EnterpriseAccess({ baseUrl: url, token, timeoutMs: 20, maxRetries: 0 });
    expect(await failureOf(access.policies.get({ uuid }))).toMatchObject({ code: 'timeout' });
  });

  test('an input that is no JSON', async () => {
    const round: Record<string, unknown> = {};
    round.self = round;
    const access = new EnterpriseAccess({ baseUrl: 'http://127.0.0.1:1' });
    const input = { policyUuid: uuid, lmsUserId: 1, contentKey: 'course-v1:a+b+c', metadata: round };
    expect(await failureOf(access.redemptions.redeem(input))).toMatchObject({ code: 'request' });
  });

  test.each([
    '',
    '/relative',
    'access.example.com',
    'ftp://access.example.com',
    'https://',
    'https://x/?a=b',
    'https://x y',
    'https://:1',
  ])('the base URL %j is refused at once', (baseUrl) => {
    expect(() => new EnterpriseAccess({ baseUrl })).toThrow(TypeError);
  });

  test('a host that does not exist', async () => {
    const access = new EnterpriseAccess({ baseUrl: 'http://access.invalid', maxRetries: 0 });
    expect(await failureOf(access.policies.get({ uuid }))).toMatchObject({ code: 'connection', isRetryable: true });
  });

  test.each([
    [
      'throw',
      () => {
        throw new Error('of the watcher');
      },
    ],
    ['reject', () => Promise.reject(new Error('of the watcher'))],
  ])('hooks and a logger that %s break no call, and see neither tokens nor inputs', async (_how, fail) => {
    const { url, server } = await serve((_request, reply) =>
      reply.setHeader('content-type', 'application/json').end(good),
    );
    servers.push(server);
    const seen: unknown[] = [];
    const failing = (...all: unknown[]) => {
      seen.push(...all);
      return fail();
    };
    const access = new EnterpriseAccess({
      baseUrl: url,
      token: 'a.secret.token',
      hooks: { onRequest: fail, onResponse: failing },
      logger: { debug: failing, warn: failing },
    });
    expect(await access.policies.get({ uuid })).toEqual({ uuid });
    expect(JSON.stringify(seen)).not.toMatch(/secret|0198c0de/);
    const outcome = expect.objectContaining({ operation: 'policies.get', attempt: 1, errorCode: null });
    expect(seen).toEqual([outcome, 'policies.get: attempt 1 answered', outcome]);
  });
});

describe.each(dialects.slice(0, 1))('tokens of another time', (dialect) => {
  let world: Awaited<ReturnType<typeof startApp>>;
  let baseUrl: string;
  beforeAll(async () => {
    world = await startApp(dialect);
    baseUrl = await world.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => world.stop());

  const asked = (token: string) =>
    new EnterpriseAccess({ baseUrl, token }).policies.get({ uuid: demonstration.spendPolicy });

  test('an expired token', async () => {
    const roles = ['enterprise_openedx_operator'];
    const token = makeToken({ roles, enterprise: '*', userId: 7, secret: SECRET, hours: -1 });
    expect(await failureOf(asked(token))).toMatchObject({ name: 'InvalidTokenError', status: 401, isRetryable: false });
  });

  test('more than the service takes', async () => {
    const access = new EnterpriseAccess({ baseUrl, token: operatorToken() });
    const error = await failureOf(
      access.redemptions.redeem({
        policyUuid: demonstration.spendPolicy,
        lmsUserId: 1000,
        contentKey: 'course-v1:edX+DemoX+2T2026',
        metadata: { note: 'x'.repeat(300_000) },
      }),
    );
    expect(error).toMatchObject({ code: 'http_413', status: 413, requestId: expect.any(String) });
  });
});

describe('a page of another origin', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });
  const failing = () =>
    new EnterpriseAccess({
      baseUrl: 'http://access.test',
      fetch: () => Promise.reject(new TypeError('Failed to fetch')),
      maxRetries: 0,
    });

  test('reads which variable of the service must name it', async () => {
    vi.stubGlobal('location', { origin: 'http://portal.test:1991' });
    const { message } = await failureOf(failing().policies.get({ uuid: demonstration.spendPolicy }));
    expect(message).toContain("CORS_ORIGINS must include this page's origin, http://portal.test:1991");
  });

  test('a page of the service itself, and a program, read nothing of it', async () => {
    for (const location of [{ origin: 'http://access.test' }, undefined]) {
      vi.stubGlobal('location', location);
      const { message } = await failureOf(failing().policies.get({ uuid: demonstration.spendPolicy }));
      expect(message).toBe('There was no complete reply from http://access.test.');
    }
  });
});
