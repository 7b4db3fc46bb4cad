import superjson from 'superjson';
import { expect, test } from 'vitest';
import {
  type ClientOptions,
  ConnectionError,
  DeclaredError,
  EnterpriseAccess,
  InvalidTokenError,
  type Outcome,
} from '../src/index.ts';

const uuid = '0198c0de-0000-7000-8000-000000000001';

interface Sent {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly input: Record<string, unknown>;
}

/** A client whose service answers what the test says, and what was asked. */
function accessTo(answer: (sent: Sent) => Response, options: Partial<ClientOptions> = {}) {
  const sent: Sent[] = [];
  const access = new EnterpriseAccess({
    baseUrl: 'http://access.test/behind/a/path/',
    ...options,
    fetch: async (text, { method = 'GET', headers, body }) => {
      const url = new URL(text);
      const json = JSON.parse(typeof body === 'string' ? body : (url.searchParams.get('input') ?? '{}'));
      const request = { url, method, headers: new Headers(headers), input: superjson.deserialize(json) as never };
      sent.push(request);
      return answer(request);
    },
  });
  return { access, sent };
}

const data = (value: unknown) => Response.json({ result: { data: superjson.serialize(value) } });
const busy = () => new Response(null, { status: 503, headers: { 'retry-after': '0' } });

test('a path before /trpc is kept', async () => {
  const { access, sent } = accessTo(() => data({ uuid }));
  await access.policies.get({ uuid });
  expect(sent[0]?.url.pathname).toBe('/behind/a/path/trpc/policies.get');
});

test('a list without a count goes through all its pages by their cursors', async () => {
  const pages = [
    { items: [{ uuid: 'a' }, { uuid: 'b' }], nextCursor: 'after-b', pageSize: 2 },
    { items: [{ uuid: 'c' }], nextCursor: null, pageSize: 2 },
  ];
  const { access, sent } = accessTo(({ input }) => data(pages[input.cursor === 'after-b' ? 1 : 0]));
  const input = { enterpriseCustomerUuid: uuid, pageSize: 2 };
  const found: string[] = [];
  for await (const decision of access.redemptions.listDecisions(input)) found.push(decision.uuid);
  expect(found).toEqual(['a', 'b', 'c']);
  expect(sent.map((each) => each.input)).toEqual([input, { ...input, cursor: 'after-b' }]);
  expect((await access.redemptions.listDecisions(input)).nextCursor).toBe('after-b');
});

test('options of a call win over those of the client, and its headers replace whatever their case', async () => {
  const { access, sent } = accessTo(busy, { maxRetries: 5, headers: { 'X-Tenant': 'a', Accept: 'text/html' } });
  const options = { maxRetries: 1, headers: { 'x-tenant': 'b' } };
  await expect(access.policies.get({ uuid }, options)).rejects.toMatchObject({ code: 'http_503' });
  expect(sent).toHaveLength(2);
  expect(sent[0]?.headers.get('x-tenant')).toBe('b');
  expect(sent[0]?.headers.get('accept')).toBe('application/json');
});

test('each attempt asks for a token, and a hook adds headers to it', async () => {
  let tokens = 0;
  const { access, sent } = accessTo(() => (tokens < 2 ? busy() : data({ uuid })), {
    token: async () => `token-${++tokens}`,
    hooks: { onRequest: ({ headers, attempt }) => headers.set('traceparent', `of attempt ${attempt}`) },
  });
  await access.policies.get({ uuid });
  expect(sent.map(({ headers }) => [headers.get('authorization'), headers.get('traceparent')])).toEqual([
    ['JWT token-1', 'of attempt 1'],
    ['JWT token-2', 'of attempt 2'],
  ]);
});

test('repeats of a mutation have one key and one body, and another call has another key', async () => {
  let calls = 0;
  const { access, sent } = accessTo(() => {
    calls += 1;
    return calls < 3 ? busy() : data({ uuid });
  });
  await access.policies.deactivate({ uuid });
  await access.policies.deactivate({ uuid });
  await access.policies.deactivate({ uuid }, { idempotencyKey: 'mine' });
  const keys = sent.map(({ headers }) => headers.get('idempotency-key'));
  expect(new Set(keys.slice(0, 3)).size).toBe(1);
  expect(new Set(keys).size).toBe(3);
  expect(keys.at(-1)).toBe('mine');
});

test('a mutation that meets its own first attempt waits for its reply', async () => {
  let calls = 0;
  const domain = { code: 'idempotency_key_in_use', details: {} };
  const inUse = () =>
    Response.json(
      { error: superjson.serialize({ message: 'In use.', data: { httpStatus: 409, domain } }) },
      { status: 409, headers: { 'retry-after': '0' } },
    );
  const { access } = accessTo(() => {
    calls += 1;
    return calls === 1 ? inUse() : data({ uuid });
  });
  expect(await access.policies.deactivate({ uuid })).toEqual({ uuid });
});

test('a list continues with the cursor instead of its first page number', async () => {
  const { access, sent } = accessTo(({ input }) =>
    data({ items: [{ uuid: String(input.cursor ?? input.page) }], nextCursor: input.cursor ? null : 'next' }),
  );
  const items = await access.policies
    .list({ enterpriseCustomerUuid: uuid, page: 3, pageSize: 1 })
    .toArray({ limit: 9 });
  expect(items.map((item) => item.uuid)).toEqual(['3', 'next']);
  expect(sent.map(({ input }) => [input.page, input.cursor, input.pageSize])).toEqual([
    [3, undefined, 1],
    [undefined, 'next', 1],
  ]);
});

test('a list with numbers begins at the first page, unless all are wanted at once', async () => {
  const { access, sent } = accessTo(({ input }) =>
    data({ items: [input.page ?? 'all'], page: input.page ?? 1, numPages: input.page ? 3 : 1 }),
  );
  expect(await access.groups.listMembers({ uuid }).toArray({ limit: 9 })).toEqual([1, 2, 3]);
  expect(await access.groups.listMembers({ uuid, traversePagination: true }).toArray({ limit: 9 })).toEqual(['all']);
  expect(sent.at(-1)?.input).toEqual({ uuid, traversePagination: true });
});

test('one list can be iterated twice, and its first page is requested once', async () => {
  const { access, sent } = accessTo(() => data({ items: [1, 2], nextCursor: null }));
  const list = access.policies.list({ enterpriseCustomerUuid: uuid });
  expect(await list.toArray({ limit: 9 })).toEqual(await list.toArray({ limit: 9 }));
  expect((await list).items).toHaveLength(2);
  expect(sent).toHaveLength(1);
});

test('a failure rejects also without iterating over the list', async () => {
  const { access } = accessTo(() => new Response(null, { status: 500 }));
  await expect(access.policies.list({ enterpriseCustomerUuid: uuid }).toArray({ limit: 0 })).rejects.toMatchObject({
    code: 'http_500',
  });
});

test('what is refused as a whole is the error of each call of a batch', async () => {
  const domain = { code: 'invalid_token', details: {} };
  const refused = () =>
    Response.json(
      { error: superjson.serialize({ message: 'Invalid token.', data: { httpStatus: 401, domain } }) },
      { status: 401 },
    );
  const { access, sent } = accessTo(refused, { batch: true });
  const calls = await Promise.allSettled([access.policies.get({ uuid }), access.jobs.get({ uuid })]);
  expect(sent).toHaveLength(1);
  for (const call of calls) expect(call).toMatchObject({ reason: expect.any(InvalidTokenError) });
});

test('a batch that gets no answer fails each of its calls under its own name', async () => {
  const failing = () => Promise.reject(new TypeError('fetch failed'));
  const access = new EnterpriseAccess({ baseUrl: 'http://access.test', batch: true, maxRetries: 0, fetch: failing });
  const calls = await Promise.allSettled([access.policies.get({ uuid }), access.jobs.get({ uuid })]);
  expect(calls.map((call) => call.status === 'rejected' && call.reason.operation)).toEqual([
    'policies.get',
    'jobs.get',
  ]);
  for (const call of calls) {
    expect(call).toMatchObject({ reason: expect.any(ConnectionError) });
    expect(call).toMatchObject({ reason: { code: 'connection', cause: { message: 'fetch failed' } } });
  }
});

test('mutations are never part of a batch', async () => {
  const { access, sent } = accessTo(() => data({ uuid }), { batch: true });
  await Promise.all([access.policies.deactivate({ uuid }), access.policies.deactivate({ uuid })]);
  expect(sent.map(({ method, url }) => [method, url.pathname.split('/').at(-1)])).toEqual([
    ['POST', 'policies.deactivate'],
    ['POST', 'policies.deactivate'],
  ]);
});

test.each([0, Infinity, 1e12])('%d ms means no limit', async (timeoutMs) => {
  const slow = (_url: string, { signal }: RequestInit) =>
    new Promise<Response>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
      setTimeout(() => resolve(data({ uuid })), 50);
    });
  const access = new EnterpriseAccess({ baseUrl: 'http://access.test', timeoutMs, maxRetries: 0, fetch: slow });
  expect(await access.policies.get({ uuid })).toEqual({ uuid });
});

test('superjson itself can read and write', async () => {
  const created = new Date('2026-06-01T12:00:00Z');
  const { access, sent } = accessTo(() => data({ uuid, created }), { serializer: superjson });
  expect(await access.policies.update({ uuid, retiredAt: created })).toEqual({ uuid, created });
  expect(sent[0]?.input).toEqual({ uuid, retiredAt: created });
});

const events = (text: string) =>
  new Response(text, { headers: { 'content-type': 'text/event-stream', 'x-request-id': 'r1' } });
const CONNECTED = 'event: connected\ndata: {}\n\n';
const ANSWER = `data: ${JSON.stringify(superjson.serialize({ done: 1 }))}\nid: 1\n\n`;

test.each([
  ['ends', `${ANSWER}event: return\ndata:\n\n`, false],
  ['is left', ANSWER, true],
])('a stream that %s has its outcome told, as any call has', async (_case, text, isLeft) => {
  const outcomes: Outcome[] = [];
  const onResponse = (outcome: Outcome) => outcomes.push(outcome);
  const { access } = accessTo(() => events(CONNECTED + text), { hooks: { onResponse } });
  for await (const _answer of access.jobs.progress({ uuid })) if (isLeft) break;
  expect(outcomes).toMatchObject([{ attempt: 1, status: 200, requestId: 'r1', errorCode: null, retryInMs: null }]);
});

test('a stream in which nothing arrives again and again is a lost connection', async () => {
  const { access, sent } = accessTo(() => events(''), { maxRetries: 1 });
  const follow = async () => {
    for await (const _answer of access.jobs.progress({ uuid })) break;
  };
  await expect(follow()).rejects.toBeInstanceOf(ConnectionError);
  expect(sent).toHaveLength(2);
});

test('a stream that is aborted while it waits to connect again cannot succeed later', async () => {
  const controller = new AbortController();
  const { access } = accessTo(
    () => {
      controller.abort();
      return new Response(null, { status: 503 });
    },
    { maxRetries: 1 },
  );
  const follow = async () => {
    for await (const _answer of access.jobs.progress({ uuid }, { signal: controller.signal })) break;
  };
  await expect(follow()).rejects.toMatchObject({ code: 'aborted', isRetryable: false, details: null });
});

test.each([
  ['JSON that is no envelope', () => Response.json(null), 1],
  ['an answer that is no stream', () => data({ done: 1 }), 1],
  ['half an answer', () => events(`${CONNECTED}data: {"json":\n\n`), 2],
  ['an answer in another format', () => events(`${CONNECTED}data: null\n\n`), 2],
])('%s in the place of a stream is an unreadable reply, not a lost connection', async (_case, answer, attempts) => {
  const { access, sent } = accessTo(answer, { maxRetries: 1 });
  const follow = async () => {
    for await (const _answer of access.jobs.progress({ uuid })) break;
  };
  await expect(follow()).rejects.toMatchObject({ code: 'unreadable_reply', status: 200 });
  expect(sent).toHaveLength(attempts);
});

test('a code that is the name of something else is an error that the client does not know', async () => {
  const error = superjson.serialize({ message: 'No.', data: { domain: { code: 'constructor', details: {} } } });
  const { access } = accessTo(() => Response.json({ error }, { status: 422 }));
  await expect(access.policies.get({ uuid })).rejects.toBeInstanceOf(DeclaredError);
});
