import { describe, expect, test } from 'vitest';
import { processCache } from '../kernel/cache/cache.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { httpCatalog } from './catalog.ts';
import type { Upstream } from './http.ts';

const RUN = 'course-v1:edX+DemoX+1';
const OTHER = 'course-v1:edX+DemoX+2';

const course = {
  key: 'edX+DemoX',
  uuid: 'course-uuid',
  title: 'Demo',
  content_type: 'course',
  product_source: { slug: 'edX', name: 'edX' },
  advertised_course_run_uuid: 'run-2',
  course_runs: [
    { key: RUN, uuid: 'run-1', first_enrollable_paid_seat_price: 49, variant_id: 'v1' },
    { key: OTHER, uuid: 'run-2', first_enrollable_paid_seat_price: 59 },
  ],
  normalized_metadata: { content_price: 10, enroll_by_date: null, start_date: null },
  normalized_metadata_by_run: {
    [RUN]: { content_price: 19.99, enroll_by_date: '2026-05-01T00:00:00Z', start_date: '2026-06-01T00:00:00' },
    [OTHER]: { content_price: 29.99, enroll_by_date: '2026-02-30T00:00:00Z', start_date: null },
  },
};
const executive = {
  ...course,
  product_source: { slug: '2u' },
  entitlements: [
    { mode: 'verified', price: '1.00' },
    { mode: 'paid-executive-education', price: '2100.00' },
    { mode: 'paid-executive-education', price: '2200.50' },
  ],
};
const negative = { [RUN]: { content_price: -19.99 } };
const free = { normalized_metadata: null, entitlements: [{ mode: 'paid-executive-education', price: 'free' }] };
const unpriced = { [RUN]: { content_price: 0 } };

/** A catalog service that answers everything with one body. */
const answering = (body: unknown) => {
  const call: Upstream = async ({ reply }) => {
    if (body instanceof Error) throw body;
    return reply.parse(body) as never;
  };
  return httpCatalog(call, processCache());
};
const contentOf = (body: unknown, identifier: string = RUN) => answering(body).content('customer', identifier);

describe('the price is that of the run (R-UP-32, R-POL-20), in rounded cents', () => {
  test.each([
    ['its own price', course, 1999],
    ['its seat when the price is zero', { ...course, normalized_metadata_by_run: unpriced }, 4900],
    [
      'its seat when there is no metadata',
      { ...course, normalized_metadata: null, normalized_metadata_by_run: null },
      4900,
    ],
    ['the price of the course when there is none by run', { ...course, normalized_metadata_by_run: null }, 1000],
    ['the last executive entitlement', { ...executive, normalized_metadata_by_run: unpriced }, 220_050],
    ['its own price before entitlements', executive, 1999],
    [
      'zero when zero is all there is',
      { ...course, course_runs: [{ key: RUN }], normalized_metadata_by_run: unpriced },
      0,
    ],
    ['10.503 as 1050', { ...course, normalized_metadata_by_run: { [RUN]: { content_price: 10.503 } } }, 1050],
    ['0.29 as 29', { ...course, normalized_metadata_by_run: { [RUN]: { content_price: 0.29 } } }, 29],
    ['its seat when its own is negative', { ...course, normalized_metadata_by_run: negative }, 4900],
    ['unknown when all there is is negative', { key: RUN, normalized_metadata: { content_price: -5 } }, null],
    ['unknown when it is beyond all cents', { key: RUN, normalized_metadata: { content_price: 1e300 } }, null],
    ['unknown when an entitlement is no number', { ...executive, ...free, normalized_metadata_by_run: null }, null],
    ['unknown when nobody names one', { key: 'edX+DemoX', course_runs: [{ key: RUN }] }, null],
  ])('%s', async (_what, body, cents) => {
    expect((await contentOf(body))?.priceCents).toBe(cents);
  });
});

describe('the run of an identifier (R-UP-33, R-POL-20)', () => {
  test.each([
    ['a run by key', RUN, RUN],
    ['a run by uuid', 'run-1', RUN],
    ['the advertised run of a course key', 'edX+DemoX', OTHER],
    ['the advertised run of a course uuid', 'course-uuid', OTHER],
    ['none of an unknown key', 'course-v1:edX+DemoX+9', null],
  ])('%s', async (_what, identifier, key) => {
    expect((await contentOf(course, identifier))?.courseRunKey).toBe(key);
  });

  test('the run of a run record is itself', async () => {
    const record = { key: RUN, uuid: 'run-1', content_type: 'courserun', first_enrollable_paid_seat_price: 49 };
    expect(await contentOf(record)).toMatchObject({ courseRunKey: RUN, courseRunUuid: 'run-1', priceCents: 4900 });
  });
});

describe('the seller decides about the mode', () => {
  test.each([
    [{ slug: '2u' }, '2u', 'paid-executive-education'],
    [{ slug: '', name: '2u' }, '2u', 'paid-executive-education'],
    [{ slug: 'other', name: '2u' }, 'edX', 'verified'],
    [{ slug: 'edX' }, 'edX', 'verified'],
    [null, 'edX', 'verified'],
  ])('%o', async (product_source, source, mode) => {
    expect(await contentOf({ ...course, product_source })).toMatchObject({ source, mode });
  });
});

describe('times that cannot be read are no times', () => {
  test('a deadline is an instant, without a zone in UTC', async () => {
    expect(await contentOf(course)).toMatchObject({
      enrollByDate: new Date('2026-05-01T00:00:00Z'),
      courseRunStartDate: new Date('2026-06-01T00:00:00Z'),
    });
  });
  test('a malformed deadline breaks nothing', async () => {
    expect(await contentOf(course, OTHER)).toMatchObject({ enrollByDate: null, priceCents: 2999 });
  });
});

describe('the list price outside of any catalog', () => {
  const ten = { price: { usd: 10, usdCents: 1000 } };
  test.each([
    ['of the run', course, { price: { usd: 19.99, usdCents: 1999 } }],
    ['of the course', { ...course, normalized_metadata_by_run: {} }, ten],
    ['of nothing is a price', { ...course, normalized_metadata_by_run: unpriced }, { price: { usd: 0, usdCents: 0 } }],
    ['of the course when that of the run is negative', { ...course, normalized_metadata_by_run: negative }, ten],
    ['that nobody knows', { key: 'edX+DemoX' }, { price: null }],
    ['that is beyond all cents', { key: RUN, normalized_metadata: { content_price: 1e300 } }, { price: null }],
  ])('%s', async (_what, body, expected) => {
    expect(await answering(body).listPrice(RUN)).toEqual(expected);
  });
});

describe('null is an answer, no answer is not', () => {
  const missing = answering(new UpstreamRefusal('catalog', 404, null));
  test('what the catalog does not know is null or false', async () => {
    expect(await missing.content('customer', RUN)).toBeNull();
    expect(await missing.listPrice(RUN)).toBeNull();
    expect(await missing.contains('catalog', RUN)).toBe(false);
  });
  test.each([new UpstreamFailure('catalog', 'did not answer'), new UpstreamRefusal('catalog', 403, null)])(
    '%s',
    async (error) => {
      await expect(answering(error).contains('catalog', RUN)).rejects.toBe(error);
    },
  );
});
