import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { processCache } from '../kernel/cache/cache.ts';
import type { Catalog } from '../kernel/ports/catalog.ts';
import { UpstreamFailure } from '../kernel/ports/upstream.ts';
import { httpCatalog } from './catalog.ts';
import { clientOf, control, requestsTo } from './testing.ts';

const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const CATALOG = '22222222-2222-4222-8222-222222222222';
const UNKNOWN = '99999999-9999-4999-8999-999999999999';
const RUN = 'course-v1:edX+CentsX+2T2026';

let sandbox: Sandbox;
let catalog: Catalog;
beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.close());
beforeEach(async () => {
  await control(sandbox, 'POST', '/control/reset');
  catalog = httpCatalog(clientOf(sandbox, 'catalog'), processCache());
});

test('content keys arrive as they are, with their plus signs', async () => {
  expect(await catalog.contains(CATALOG, RUN)).toBe(true);
  expect(await catalog.contains(CATALOG, 'edX+CentsX')).toBe(true);
  expect(await catalog.contains(CATALOG, 'course-v1:edX+NopeX+1')).toBe(false);
  expect(await catalog.contains(UNKNOWN, RUN)).toBe(false);
});

test('a run has its course, price and deadline', async () => {
  expect(await catalog.content(CUSTOMER, RUN)).toMatchObject({
    contentKey: 'edX+CentsX',
    courseRunKey: RUN,
    title: 'A Price With Cents',
    priceCents: 1_999,
    source: 'edX',
    mode: 'verified',
  });
  expect(await catalog.content(CUSTOMER, 'course-v1:edX+ExecX+2T2026')).toMatchObject({
    priceCents: 250_000,
    source: '2u',
    mode: 'paid-executive-education',
  });
  expect(await catalog.content(CUSTOMER, 'course-v1:edX+NopeX+1')).toBeNull();
});

test('a catalog returns the number of its courses', async () => {
  expect(await catalog.contentCount(CATALOG)).toBe(sandbox.state.content.catalogs.get(CATALOG)?.courseKeys.size);
  expect(await catalog.contentCount(UNKNOWN)).toBeNull();
});

test('the list price needs no customer', async () => {
  expect(await catalog.listPrice(RUN)).toEqual({ price: { usd: 19.99, usdCents: 1_999 } });
  expect(await catalog.listPrice('course-v1:edX+NopeX+1')).toBeNull();
});

test('a crowd makes one call per question', async () => {
  await Promise.all(Array.from({ length: 20 }, () => catalog.content(CUSTOMER, RUN)));
  await Promise.all(Array.from({ length: 20 }, () => catalog.contains(CATALOG, RUN)));
  expect(await requestsTo(sandbox, '/catalog/')).toBe(2);
});

test.each([
  ['an error', { status: 503 }],
  ['a page', { garbage: true }],
  ['a dropped connection', { dropConnection: true }],
  ['a price in words', { status: 200, body: { key: 'edX+CentsX', normalized_metadata: { content_price: 'free' } } }],
])('%s is no answer, and the next question is asked anew', async (_what, fault) => {
  await control(sandbox, 'PUT', '/control/faults', { path: '/catalog/', ...fault });
  await expect(catalog.content(CUSTOMER, RUN)).rejects.toThrow(UpstreamFailure);
  await control(sandbox, 'DELETE', '/control/faults');
  expect(await catalog.content(CUSTOMER, RUN)).toMatchObject({ priceCents: 1_999 });
});
