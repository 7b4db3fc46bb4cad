import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { httpCatalog } from './catalog.ts';
import { upstream } from './http.ts';
import { httpLms } from './lms.ts';
import { path } from './path.ts';
import { httpLedger } from './subsidy.ts';
import { noCache, nothingReserved, startService, tokens } from './testing.ts';

const TRAVERSALS = ['.', '..', ''];
const SEGMENTS = [
  ['../../admin', '..%2F..%2Fadmin'],
  ['a?b=c#d', 'a%3Fb%3Dc%23d'],
  ['%2e%2e', '%252e%252e'],
  ['a\\..\\b', 'a%5C..%5Cb'],
  ['course-v1:edX+DemoX+1', 'course-v1%3AedX%2BDemoX%2B1'],
  ['é ', '%C3%A9%20'],
] as const;

describe('a path', () => {
  test.each(SEGMENTS)('keeps %j in one segment', (value, segment) => {
    const { text } = path`/a/${value}/b/`;
    expect(text).toBe(`/a/${segment}/b/`);
    expect(new URL(`http://service.test/root${text}`).pathname).toBe(`/root/a/${segment}/b/`);
  });

  test.each([...TRAVERSALS, '\ud800'])('has no segment %j', (value) => {
    expect(path`/a/${value}/b/`.text).toBeNull();
  });
});

describe('every value that a client puts into a path', () => {
  let service: Awaited<ReturnType<typeof startService>>;
  beforeAll(async () => {
    service = await startService({ status: 404 });
  });
  afterAll(() => service.stop());

  const call = () => upstream({ service: 'lms', baseUrl: `${service.url}/root`, token: tokens('t') });
  const catalog = () => httpCatalog(call(), noCache);
  const lms = () => httpLms(call(), noCache);
  const ledger = () => httpLedger(call(), noCache, nothingReserved);
  const enrollment = { lmsUserId: 1, courseRunKey: 'run', transactionUuid: 'uuid', force: false };
  const deposit = { quantityCents: 1, salesContractReferenceId: 'r', idempotencyKey: 'k' };
  const content = { lmsUserEmail: null, parentContentKey: null, title: null, courseRunStartDate: null };
  const spend = {
    uuid: 'u',
    idempotencyKey: 'k',
    policyUuid: 'p',
    enterpriseCustomerUuid: 'c',
    lmsUserId: 1,
    contentKey: 'run',
    priceCents: 1,
    requestedPriceCents: null,
    metadata: null,
    content,
    assignmentUuid: null,
    created: new Date(0),
  };
  const clients: [string, (value: string) => Promise<unknown>][] = [
    ['catalog.contains', (value) => catalog().contains(value, 'key')],
    ['catalog.content: customer', (value) => catalog().content(value, 'key')],
    ['catalog.content: key', (value) => catalog().content('customer', value)],
    ['catalog.customerOf', (value) => catalog().customerOf(value)],
    ['catalog.contentCount', (value) => catalog().contentCount(value)],
    ['catalog.listPrice', (value) => catalog().listPrice(value)],
    ['lms.customer', (value) => lms().customer(value)],
    ['lms.customerOfGroup', (value) => lms().customerOfGroup(value)],
    ['lms.groupMembers', (value) => lms().groupMembers({ groupUuid: value }, 1)],
    ['lms.invitations', (value) => lms().invitations(value)],
    ['lms.markUnreachable', (value) => lms().markUnreachable(value, 'a@b.example', new Date(0))],
    ['lms.enroll', (value) => lms().enroll(value, enrollment)],
    ['lms.cancelFulfillment', (value) => lms().cancelFulfillment(value)],
    [
      'ledger.transactions',
      (subsidy) => ledger().transactions({ subsidyUuids: [subsidy], lmsUserId: 1, contentKeys: ['a'] }),
    ],
    ['ledger.enrollmentCounts', (value) => ledger().enrollmentCounts(value, 'policy')],
    ['ledger.spentCents', (value) => ledger().spentCents(value, 'policy')],
    ['ledger.subsidies', (value) => ledger().subsidies([value])],
    ['ledger.settle', (subsidyUuid) => ledger().settle({ ...spend, subsidyUuid })],
    ['ledger.deposit', (subsidyUuid) => ledger().deposit({ ...deposit, subsidyUuid })],
  ];

  test.each(clients)('%s: stays one segment of that path', async (_name, ask) => {
    const shape = async (value: string) => {
      service.asked.length = 0;
      await ask(value).catch(() => undefined);
      return service.asked.map(({ url }) => url?.split('?')[0] ?? '');
    };
    const plain = await shape('PLAIN');
    expect(plain[0]).toContain('/PLAIN');
    for (const [value, segment] of SEGMENTS) {
      expect(await shape(value)).toEqual(plain.map((url) => url.replaceAll('PLAIN', segment)));
    }
    for (const value of TRAVERSALS) {
      // A list that is asked with the value in its query is no other resource.
      const lists = plain.filter((url) => !url.includes('PLAIN'));
      expect((await shape(value)).filter((url) => !lists.includes(url))).toEqual([]);
    }
  });

  test('is a refusal like that of the service: there is no such thing', async () => {
    expect(await catalog().content('customer', '..')).toBeNull();
    await expect(lms().enroll('..', enrollment)).rejects.toThrow(UpstreamRefusal);
  });
});
