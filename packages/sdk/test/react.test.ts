import { InfiniteQueryObserver, MutationObserver, QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EnterpriseAccess, NotFoundError } from '../src/index.ts';
import { accessQueries } from '../src/react.ts';

const uuid = '0198c0de-0000-7000-8000-000000000001';
const UNTIL = { timeout: 5_000, interval: 5 };

interface Sent {
  readonly operation: string;
  readonly input: Record<string, unknown>;
  readonly signal: AbortSignal;
}

let client: QueryClient;
let sent: Sent[];
beforeEach(() => {
  client = new QueryClient();
  sent = [];
});
afterEach(() => client.clear());

/** A service that answers what the test says. */
function accessTo(answer: (sent: Sent) => object | Promise<object>) {
  const access = new EnterpriseAccess({
    baseUrl: 'http://access.test',
    maxRetries: 0,
    fetch: async (url, { body, signal }) => {
      const { pathname, searchParams } = new URL(url);
      const input = JSON.parse(typeof body === 'string' ? body : (searchParams.get('input') ?? ''));
      const request = { operation: pathname.slice('/trpc/'.length), input: input.json, signal: signal as AbortSignal };
      sent.push(request);
      return Response.json({ result: { data: { json: await answer(request) } } });
    },
  });
  return accessQueries(access);
}

test('a query is fetched once per input, and its data is typed', async () => {
  const queries = accessTo(({ input }) => ({ uuid: input.uuid, displayName: 'Everybody' }));
  const options = queries.policies.get.queryOptions({ uuid });
  const [one, other] = await Promise.all([client.fetchQuery(options), client.fetchQuery(options)]);
  expect(one.displayName).toBe('Everybody');
  expect(other).toBe(one);
  expect(sent).toHaveLength(1);
  const cached: string | null | undefined = client.getQueryData(options.queryKey)?.displayName;
  expect(cached).toBe('Everybody');
});

test('TanStack Query does not retry what the client has retried', async () => {
  const access = new EnterpriseAccess({
    baseUrl: 'http://access.test',
    maxRetries: 0,
    fetch: async () => {
      sent.push({ operation: '', input: {}, signal: new AbortController().signal });
      const domain = { code: 'not_found', details: {} };
      return Response.json({ error: { json: { data: { httpStatus: 404, domain } } } }, { status: 404 });
    },
  });
  const observer = new QueryObserver(client, accessQueries(access).policies.get.queryOptions({ uuid }));
  const leave = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(observer.getCurrentResult().status).toBe('error'), UNTIL);
  expect(observer.getCurrentResult().error).toBeInstanceOf(NotFoundError);
  expect(sent).toHaveLength(1);
  leave();
  client.setDefaultOptions({ mutations: { retry: 2, retryDelay: 0 } });
  const mutation = new MutationObserver(client, accessQueries(access).policies.deactivate.mutationOptions());
  await expect(mutation.mutate({ uuid })).rejects.toBeInstanceOf(NotFoundError);
  expect(sent).toHaveLength(2);
});

test('leaving the page ends the call', async () => {
  const queries = accessTo(() => new Promise(() => undefined));
  const observer = new QueryObserver(client, queries.policies.get.queryOptions({ uuid }));
  const leave = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(sent).toHaveLength(1), UNTIL);
  leave();
  await vi.waitFor(() => expect(sent[0]?.signal.aborted).toBe(true), UNTIL);
});

test('a list follows its cursors, and has another query key than its single page', async () => {
  const queries = accessTo(({ input: { cursor } }) => ({
    items: [{ uuid: String(cursor ?? 'first') }],
    nextCursor: cursor === undefined ? 'second' : null,
  }));
  const input = { enterpriseCustomerUuid: uuid };
  const observer = new InfiniteQueryObserver(client, queries.policies.list.infiniteOptions(input));
  const leave = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(observer.getCurrentResult().hasNextPage).toBe(true), UNTIL);
  await observer.fetchNextPage();
  const { data, hasNextPage } = observer.getCurrentResult();
  expect(data?.pages.flatMap((page) => page.items.map((policy) => policy.uuid))).toEqual(['first', 'second']);
  expect(hasNextPage).toBe(false);
  const page = await client.fetchQuery(queries.policies.list.queryOptions(input));
  expect(page.items.map((policy) => policy.uuid)).toEqual(['first']);
  leave();
});

test('a list with page numbers continues page by page', async () => {
  const queries = accessTo(({ input }) => ({ items: [], page: input.page, numPages: 2, count: 0 }));
  const observer = new InfiniteQueryObserver(client, queries.groups.listMembers.infiniteOptions({ uuid }));
  const leave = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(observer.getCurrentResult().hasNextPage).toBe(true), UNTIL);
  await observer.fetchNextPage();
  expect(sent.map(({ input }) => input.page)).toEqual([1, 2]);
  expect(observer.getCurrentResult().hasNextPage).toBe(false);
  leave();
});

test('a mutation makes its call and invalidates the queries of its router', async () => {
  const queries = accessTo(({ input }) => ({ uuid: input.uuid ?? 'new' }));
  const policy = queries.policies.get.queryOptions({ uuid });
  const redemption = queries.redemptions.get.queryOptions({ uuid });
  await Promise.all([client.fetchQuery(policy), client.fetchQuery(redemption)]);
  const mutation = new MutationObserver(client, {
    ...queries.policies.deactivate.mutationOptions(),
    onSuccess: () => queries.policies.invalidate(client),
  });
  const answer = await mutation.mutate({ uuid, reason: 'a test' });
  expect(answer.uuid).toBe(uuid);
  expect(client.getQueryState(policy.queryKey)?.isInvalidated).toBe(true);
  expect(client.getQueryState(redemption.queryKey)?.isInvalidated).toBe(false);
  await queries.invalidate(client);
  expect(client.getQueryState(redemption.queryKey)?.isInvalidated).toBe(true);
});

test('one input of an operation is invalidated, and the others stay', async () => {
  const queries = accessTo(({ input }) => ({ uuid: input.uuid }));
  const other = { uuid: '0198c0de-0000-7000-8000-000000000002' };
  await client.fetchQuery(queries.policies.get.queryOptions({ uuid }));
  await client.fetchQuery(queries.policies.get.queryOptions(other));
  await queries.policies.get.invalidate(client, { uuid });
  const isStale = (input: { uuid: string }) => client.getQueryState(queries.policies.get.key(input))?.isInvalidated;
  expect([isStale({ uuid }), isStale(other)]).toEqual([true, false]);
});
