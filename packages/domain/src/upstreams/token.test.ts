import { afterEach, expect, test } from 'vitest';
import { type Answer, startService } from './testing.ts';
import { FRESH_MS, serviceToken, tokenUrl } from './token.ts';

let service: Awaited<ReturnType<typeof startService>> | undefined;
afterEach(() => service?.stop());

const tokenReply = (token: string, expires_in = 3_600): Answer => ({
  status: 200,
  body: { access_token: token, expires_in, token_type: 'JWT', scope: 'read' },
});

async function world(...answers: Answer[]) {
  const started = await startService(...answers);
  service = started;
  let now = Date.parse('2026-06-01T12:00:00Z');
  const clock = () => new Date(now);
  const source = serviceToken({ root: started.url, clientId: 'id', clientSecret: 'a secret & more', clock });
  return {
    ...started,
    source,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

// R-UP-01
test.each([
  ['http://lms:18000', 'http://lms:18000/oauth2/access_token'],
  ['http://lms:18000/oauth2/', 'http://lms:18000/oauth2/access_token'],
  ['http://lms:18000/oauth2/access_token//', 'http://lms:18000/oauth2/access_token'],
])('the token endpoint of %s', (root, url) => {
  expect(tokenUrl(root)).toBe(url);
});

test('a token is requested with client credentials, as a form', async () => {
  const { source, asked } = await world(tokenReply('one'));
  expect(await source.get()).toBe('one');
  expect(asked).toMatchObject([
    { method: 'POST', url: '/oauth2/access_token', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  ]);
  expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
    grant_type: 'client_credentials',
    client_id: 'id',
    client_secret: 'a secret & more',
    token_type: 'jwt',
  });
});

test('a token serves until five seconds before its end', async () => {
  const { source, asked, pass } = await world(tokenReply('one'), tokenReply('two'));
  await source.get();
  pass(3_594_999);
  expect(await source.get()).toBe('one');
  expect(asked).toHaveLength(1);
  pass(1);
  expect(await source.get()).toBe('two');
});

test('a crowd that needs a token asks once', async () => {
  const { source, asked } = await world(tokenReply('one'));
  expect(new Set(await Promise.all(Array.from({ length: 20 }, () => source.get())))).toEqual(new Set(['one']));
  expect(asked).toHaveLength(1);
});

test('a rejected token is replaced once for all concurrent calls', async () => {
  const { source, asked, pass } = await world(tokenReply('one'), tokenReply('two'), tokenReply('three'));
  await source.get();
  pass(FRESH_MS);
  source.discard('one');
  expect(await source.get()).toBe('two');
  pass(FRESH_MS);
  source.discard('one');
  expect(await source.get()).toBe('two');
  expect(asked).toHaveLength(2);
});

test('a token just made is kept: another one would be refused as well', async () => {
  const { source, asked, pass } = await world(tokenReply('one'), tokenReply('two'));
  await source.get();
  pass(FRESH_MS - 1);
  source.discard('one');
  expect(await source.get()).toBe('one');
  expect(asked).toHaveLength(1);
});

test.each<[string, Answer]>([
  ['an error', { status: 500 }],
  ['a refusal', { status: 401, body: { error: 'invalid_client' } }],
  ['a page', (response) => void response.end('<html>')],
  ['a reply without a lifetime', { status: 200, body: { access_token: 'one' } }],
  ['a dropped connection', (response) => void response.socket?.destroy()],
])('%s gives no token, and the next call asks again', async (_what, answer) => {
  const { source, answer: next } = await world(answer);
  await expect(source.get()).rejects.toThrow('gave no token');
  next(tokenReply('one'));
  expect(await source.get()).toBe('one');
});
