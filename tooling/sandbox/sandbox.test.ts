import { describe, expect, test } from 'vitest';
import { coursesOfCsv } from './catalog-file.ts';
import { buildSandbox } from './server.ts';

const headers = { authorization: 'JWT any' };
const DEMO = '11111111-1111-4111-8111-111111111111';

describe('sandbox', () => {
  test('a transaction enrols once, however often it is sent', async () => {
    const app = await buildSandbox();
    const enrol = () =>
      app.inject({
        method: 'POST',
        url: `/lms/enterprise/api/v1/enterprise-customer/${DEMO}/enroll_learners_in_courses/`,
        headers,
        payload: { enrollments_info: [{ user_id: 1000, course_run_key: 'course-v1:edX+DemoX+2T2026', transaction_id: 'a' }] },
      });
    const [first, second] = [await enrol(), await enrol()];
    expect(first.statusCode).toBe(201);
    expect(first.json().successes[0].created).toBe(true);
    expect(second.json().successes[0]).toMatchObject({ created: false, enterprise_fulfillment_source_uuid: first.json().successes[0].enterprise_fulfillment_source_uuid });
  });

  test('an unknown learner is refused with 409', async () => {
    const app = await buildSandbox();
    const reply = await app.inject({
      method: 'POST',
      url: `/lms/enterprise/api/v1/enterprise-customer/${DEMO}/enroll_learners_in_courses/`,
      headers,
      payload: { enrollments_info: [{ user_id: 5, course_run_key: 'x', transaction_id: 'b' }] },
    });
    expect([reply.statusCode, reply.json().invalid_user_ids]).toEqual([409, [5]]);
  });

  test('a fault stands in the way as often as it was told to', async () => {
    const app = await buildSandbox();
    await app.inject({ method: 'PUT', url: '/control/faults', payload: { path: '^/catalog', status: 503, times: 1 } });
    const read = async () => (await app.inject({ url: '/catalog/api/v1/content-metadata/edX+DemoX', headers })).statusCode;
    expect([await read(), await read()]).toEqual([503, 200]);
  });

  test('nobody is served without a token', async () => {
    const app = await buildSandbox();
    expect((await app.inject({ url: `/lms/enterprise/api/v1/enterprise-customer/${DEMO}/` })).statusCode).toBe(401);
  });

  test('a catalog file gives courses, and a bad row is named by its line', () => {
    const head = 'course_key,course_run_key,title,verified_price_usd';
    expect(coursesOfCsv(`${head}\na+b,course-v1:a+b+c,"One, two",49\n`)).toMatchObject([{ key: 'a+b', title: 'One, two', price: 49 }]);
    expect(() => coursesOfCsv(`${head}\na+b,course-v1:a+b+c,One,49\na+b,nonsense,Two,49\n`)).toThrow(/Line 3/);
  });
});
