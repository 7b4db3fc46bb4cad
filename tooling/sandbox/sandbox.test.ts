import { describe, expect, test } from 'vitest';
import { parseCatalog } from './catalog-file.ts';
import { createServer } from './server.ts';

const headers = { authorization: 'JWT any' };
const DEMO = '11111111-1111-4111-8111-111111111111';
const enrolPath = `/lms/enterprise/api/v1/enterprise-customer/${DEMO}/enroll_learners_in_courses/`;
const coursePath = '/catalog/api/v1/content-metadata/edX+DemoX';

describe('sandbox', () => {
  test('a transaction enrols once, however often it is sent', async () => {
    const app = createServer();
    const enrol = () =>
      app.inject({
        method: 'POST',
        url: enrolPath,
        headers,
        payload: {
          enrollments_info: [
            {
              user_id: 1000,
              course_run_key: 'course-v1:edX+DemoX+2T2026',
              transaction_id: '0b6c4d0a-6d2c-4a5a-9a86-9f5b6c0f3b11',
            },
          ],
        },
      });
    const [first, second] = [await enrol(), await enrol()];
    expect([first.statusCode, second.statusCode]).toEqual([201, 201]);
    const fulfillmentOf = (reply: typeof first): unknown =>
      reply.json().successes[0].enterprise_fulfillment_source_uuid;
    expect(fulfillmentOf(first)).toEqual(expect.any(String));
    expect(fulfillmentOf(second)).toBe(fulfillmentOf(first));
  });

  test('an unknown learner is refused with 409', async () => {
    const reply = await createServer().inject({
      method: 'POST',
      url: enrolPath,
      headers,
      payload: {
        enrollments_info: [
          {
            user_id: 5,
            course_run_key: 'course-v1:edX+DemoX+2T2026',
            transaction_id: '0b6c4d0a-6d2c-4a5a-9a86-9f5b6c0f3b12',
          },
        ],
      },
    });
    expect([reply.statusCode, reply.json().invalid_user_ids]).toEqual([409, [5]]);
  });

  test('a fault stands in the way as often as it was told to', async () => {
    const app = createServer();
    await app.inject({ method: 'PUT', url: '/control/faults', payload: { path: '^/catalog', status: 503, times: 1 } });
    const read = async () => (await app.inject({ url: coursePath, headers })).statusCode;
    expect([await read(), await read()]).toEqual([503, 200]);
  });

  test('nobody is served without a token', async () => {
    expect((await createServer().inject({ url: coursePath })).statusCode).toBe(401);
  });

  test('a catalog file gives courses with their price in cents, and a bad row is named by its line', () => {
    const head =
      'course_key,course_run_key,slug,title,institution,subject,level,language,pacing,weeks,verified_price_usd,enrolled_2020';
    const row = (price: string, key = 'a') =>
      `${key}+b,course-v1:${key}+b+c,slug,"One, two",U,S,Introductory,English,self_paced,4,${price},10`;
    expect(parseCatalog(`${head}\n${row('49.5')}\n`)).toMatchObject([{ key: 'a+b', title: 'One, two' }]);
    expect(() => parseCatalog(`${head}\n${row('49')}\n${row('much', 'z')}\n`)).toThrow(/line 3/);
  });
});
