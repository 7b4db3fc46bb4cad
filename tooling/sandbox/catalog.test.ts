import { expect, test } from 'vitest';
import { demo, other } from './seed.ts';
import { sandboxClient } from './testing.ts';

const V2 = `/catalog/api/v2/enterprise-catalogs/${demo.catalogUuid}`;
const run = (name: string) => `course-v1:edX+${name}+2T2026`;

test.each([
  ['a priced course', 'DemoX', { content_price: 149, enroll_by_date: '2099-06-30T23:59:59Z' }],
  ['a price with cents', 'CentsX', { content_price: 19.99 }],
  ['a free course', 'FreeX', { content_price: 0, enroll_by_date: null }],
  ['a course past its deadline', 'PastX', { enroll_by_date: '2001-01-01T00:00:00Z' }],
  [
    'executive education, priced by its entitlement',
    'ExecX',
    { content_price: 2500, enroll_by_date: '2099-06-30T23:59:59Z' },
  ],
])('metadata of %s', async (_case, name, metadata) => {
  const { body } = await sandboxClient().call('GET', `/catalog/api/v1/content-metadata/edX+${name}`);
  expect(body).toMatchObject({ content_type: 'course', normalized_metadata: metadata });
  expect(body.normalized_metadata_by_run[run(name)]).toEqual(body.normalized_metadata);
  expect(body.advertised_course_run_uuid).toBe(body.course_runs[0].uuid);
});

test('executive education has the entitlement and no seat', async () => {
  const { body } = await sandboxClient().call('GET', '/catalog/api/v1/content-metadata/edX+ExecX');
  expect(body).toMatchObject({
    course_type: 'executive-education-2u',
    product_source: { slug: '2u' },
    entitlements: [{ mode: 'paid-executive-education', price: '2500.00' }],
    course_runs: [{ seats: [], first_enrollable_paid_seat_price: null }],
  });
});

test.each([
  ['a run key with its plus signs as they are', `course_run_ids=${run('DemoX')}`, true],
  ['a run key encoded', `course_run_ids=${encodeURIComponent(run('DemoX'))}`, true],
  ['a course key', 'course_run_ids=edX+DemoX', true],
  ['any of several', 'course_run_ids=edX+Nope&course_run_ids=edX+DemoX', true],
  ['an unknown key', 'course_run_ids=edX+Nope', false],
])('contains: %s', async (_case, query, expected) => {
  const { call } = sandboxClient();
  for (const version of ['v1', 'v2']) {
    const url = `/catalog/api/${version}/enterprise-catalogs/${demo.catalogUuid}/contains_content_items/?${query}`;
    expect((await call('GET', url)).body).toEqual({ contains_content_items: expected });
  }
});

test('a restricted run matches in v1 only', async () => {
  const { call } = sandboxClient();
  await call('PUT', '/control/courses', { courseKey: 'edX+DemoX', restrictionType: 'custom-b2b-enterprise' });
  const ask = async (version: string) => {
    const path = `/catalog/api/${version}/enterprise-catalogs/${demo.catalogUuid}/contains_content_items`;
    return (await call('GET', `${path}?course_run_ids=${run('DemoX')}`)).body.contains_content_items;
  };
  expect([await ask('v1'), await ask('v2')]).toEqual([true, false]);
});

test.each([
  ['no key for contains', `${V2}/contains_content_items/`, 400],
  ['an unknown catalog', '/catalog/api/v2/enterprise-catalogs/x/contains_content_items/?course_run_ids=a', 404],
  ['101 keys', `${V2}/get_content_metadata/?${'content_keys=edX%2BDemoX&'.repeat(101)}`, 400],
  ['unknown content', '/catalog/api/v1/content-metadata/edX+Nope', 404],
])('refused: %s', async (_case, url, status) => {
  expect((await sandboxClient().call('GET', url)).status).toBe(status);
});

test('a catalog lists its courses, counts them, and finds the course of a run', async () => {
  const { call } = sandboxClient();
  expect((await call('GET', `${V2}/get_content_metadata/`)).body).toMatchObject({ count: 12, uuid: demo.catalogUuid });
  const query = `content_keys=${run('DemoX')}&content_keys=edX+Nope&traverse_pagination=True`;
  const { body } = await call('GET', `${V2}/get_content_metadata/?${query}`);
  expect(body).toMatchObject({ next: null, count: 1, results: [{ key: 'edX+DemoX' }] });
});

test('a run has its own record unless its course is requested', async () => {
  const { call } = sandboxClient();
  const url = `/catalog/api/v1/content-metadata/${run('DemoX')}`;
  expect((await call('GET', url)).body).toMatchObject({ content_type: 'courserun', parent_content_key: 'edX+DemoX' });
  expect((await call('GET', `${url}?coerce_to_parent_course=True`)).body.key).toBe('edX+DemoX');
  const listed = await call('GET', '/catalog/api/v1/content-metadata/?content_identifiers=edX%2BDemoX,edX%2BNope');
  expect(listed.body).toMatchObject({ count: 1, results: [{ key: 'edX+DemoX' }] });
});

test('control: a price, a deadline and a removal show at once, per catalog', async () => {
  const { call } = sandboxClient();
  const change = { courseKey: 'edX+DemoX', priceCents: 29, enrollByDate: '2026-01-01T00:00:00Z' };
  await call('PUT', '/control/courses', [change, { courseKey: 'edX+NewX', catalogUuids: [other.catalogUuid] }]);
  const { body } = await call('GET', '/catalog/api/v1/content-metadata/edX+DemoX');
  expect(body.normalized_metadata).toMatchObject({ content_price: 0.29, enroll_by_date: '2026-01-01T00:00:00Z' });
  const find = async (customer: string) =>
    (await call('GET', `/catalog/api/v2/enterprise-customer/${customer}/content-metadata/edX+NewX/`)).status;
  expect([await find(demo.customerUuid), await find(other.customerUuid)]).toEqual([404, 200]);
  await call('PUT', '/control/courses', { courseKey: 'edX+NewX', remove: true });
  expect(await find(other.customerUuid)).toBe(404);
});
