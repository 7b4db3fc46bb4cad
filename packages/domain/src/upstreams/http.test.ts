import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { orNull, orUnavailable, UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { withRequestId } from '../kernel/request-scope.ts';

import { type Call, upstream } from './http.ts';
import { path } from './path.ts';
import { CUT_OFF_MS, REMEMBERED_AFTER, REMEMBERED_MS } from './resilience.ts';
import { waitOf, waitUntil } from './retry-after.ts';
import { type Answer, startService, tokens } from './testing.ts';

const REPLY = z.object({ value: z.number() });
const good = { status: 200, body: { value: 1 } };
const drop = (response: ServerResponse) => void response.socket?.destroy();
const hang = () => undefined;

let service: Awaited<ReturnType<typeof startService>> | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await service?.stop();
  service = undefined;
});

/** A service with these answers and its client. */
async function world(...answers: Answer[]) {
  const started = await startService(...answers);
  service = started;
  const token = tokens('first', 'second');
  const client = upstream({ service: 'lms', baseUrl: `${started.url}/root/`, token, timeoutMs: 5_000 });
  const call = (change: Partial<Call<typeof REPLY>> = {}) => client({ path: path`/thing/`, reply: REPLY, ...change });
  return { ...started, token, client, call };
}

/** Until the service was asked so often. Only the event loop passes, no time. */
async function asked(times: number): Promise<void> {
  while ((service?.asked.length ?? 0) < times) await new Promise((resolve) => setImmediate(resolve));
}

describe('a request', () => {
  test('carries token, query, body and the id of the request that it is made for', async () => {
    const { call, asked } = await world(good);
    const query = { a: 'x y+z', b: ['1', '2'], c: undefined, d: true };
    const answer = await withRequestId('request-1', () => call({ method: 'POST', query, body: { n: 1 } }));
    expect(answer).toEqual({ value: 1 });
    expect(asked).toMatchObject([
      {
        method: 'POST',
        url: '/root/thing/?a=x+y%2Bz&b=1&b=2&d=true',
        body: '{"n":1}',
        headers: { authorization: 'JWT first', 'content-type': 'application/json', 'x-request-id': 'request-1' },
      },
    ]);
  });

  test('without a body or a request to speak for leaves those headers out', async () => {
    const { call, asked } = await world(good);
    await call();
    expect(asked[0]?.headers).not.toHaveProperty('content-type');
    expect(asked[0]?.headers).not.toHaveProperty('x-request-id');
  });
});

describe('a refusal', () => {
  test.each([400, 403, 404, 409, 422])('%i is passed on with its body and never repeated', async (status) => {
    const { call, asked } = await world({ status, body: { detail: 'no' } });
    const refused = call();
    await expect(refused).rejects.toThrow(UpstreamRefusal);
    await expect(refused).rejects.toMatchObject({ service: 'lms', status, body: { detail: 'no' } });
    expect(asked).toHaveLength(1);
  });

  test('not found can be an answer; other refusals cannot', async () => {
    const { call, answer } = await world({ status: 404 });
    expect(await orNull(call())).toBeNull();
    answer({ status: 403 });
    await expect(orNull(call())).rejects.toThrow(UpstreamRefusal);
  });

  test('orUnavailable converts it to the declared error', async () => {
    const { call, answer } = await world({ status: 403 });
    const declared = { spec: { code: 'upstream_unavailable', status: 503 }, details: { service: 'lms' } };
    await expect(orUnavailable(call())).rejects.toMatchObject(declared);
    answer({ status: 500 });
    await expect(orUnavailable(call())).rejects.toMatchObject(declared);
    const bug = new TypeError('a bug is no upstream');
    await expect(orUnavailable(Promise.reject(bug))).rejects.toBe(bug);
  });
});

const unusable: [string, Answer][] = [
  ['500', { status: 500 }],
  ['503 with a body', { status: 503, body: { value: 1 } }],
  ['408', { status: 408 }],
  ['another shape', { status: 200, body: { value: 'one' } }],
  ['nothing', { status: 200 }],
  ['a page', (response) => void response.end('<html>It works!')],
  ['half a reply', (response) => void response.end('{"value":')],
  ['a redirection', { status: 302, headers: { location: '/elsewhere' } }],
  ['a dropped connection', drop],
  ['too much', (response) => void response.end(`{"value":1,"more":"${'x'.repeat(11_000_000)}"}`)],
];

describe.each(unusable)('%s', (_what, answer) => {
  test('is no answer: a read tries three times', async () => {
    const { call, asked } = await world(answer);
    await expect(call()).rejects.toThrow(UpstreamFailure);
    expect(asked).toHaveLength(3);
  });

  test('is overcome by a read, and by a write that carries a key', async () => {
    const { call, asked, answer: next } = await world(answer, answer, good);
    expect(await call()).toEqual({ value: 1 });
    next(answer, good);
    expect(await call({ method: 'POST', repeatable: true })).toEqual({ value: 1 });
    expect(asked).toHaveLength(5);
  });

  test('is never answered by another write', async () => {
    const { call, asked } = await world(answer, good);
    await expect(call({ method: 'POST' })).rejects.toThrow(UpstreamFailure);
    expect(asked).toHaveLength(1);
  });
});

describe('time', () => {
  test('bounds a call with all its attempts', async () => {
    const { call, asked } = await world({ status: 500 }, hang);
    await expect(call({ timeoutMs: 300 })).rejects.toMatchObject({
      name: 'UpstreamFailure',
      cause: { name: 'TimeoutError' },
    });
    expect(asked).toHaveLength(2);
  });

  test('includes waiting for a token', async () => {
    const { url, asked } = await world(good);
    const token = { get: () => new Promise<string>(() => undefined), discard: () => undefined };
    const client = upstream({ service: 'lms', baseUrl: url, token, timeoutMs: 100 });
    await expect(client({ path: path`/`, reply: REPLY })).rejects.toMatchObject({
      name: 'UpstreamFailure',
      cause: { name: 'TimeoutError' },
    });
    expect(asked).toHaveLength(0);
  });

  test('may be less for one call, and is never more than that of the service', async () => {
    const { call } = await world(hang);
    const timedOut = { cause: { name: 'TimeoutError' } };
    await expect(call({ atMostMs: 100 })).rejects.toMatchObject(timedOut);
    await expect(call({ timeoutMs: 100, atMostMs: 60_000 })).rejects.toMatchObject(timedOut);
  });

  test('a slow answer within the bound is an answer', async () => {
    let late: ServerResponse | undefined;
    const { call } = await world((response) => {
      late = response;
    });
    const answered = call();
    await asked(1);
    late?.end('{"value":2}');
    expect(await answered).toEqual({ value: 2 });
  });
});

describe('a token that is not accepted', () => {
  test.each(['GET', 'POST'] as const)('is replaced, and %s is sent again', async (method) => {
    const { call, asked, token } = await world({ status: 401 }, good);
    expect(await call({ method })).toEqual({ value: 1 });
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['JWT first', 'JWT second']);
    expect(token.discarded).toEqual(['first']);
  });

  test('is no verdict on the request, however often it is replaced', async () => {
    const { call } = await world({ status: 401 });
    await expect(call()).rejects.toThrow(UpstreamFailure);
  });

  test('is not sent again when there is no other', async () => {
    const { asked, url } = await world({ status: 401 });
    const token = tokens('only');
    const client = upstream({ service: 'lms', baseUrl: url, token });
    await expect(client({ method: 'POST', path: path`/`, reply: REPLY })).rejects.toThrow(UpstreamFailure);
    expect(asked).toHaveLength(1);
  });

  test('a token that cannot be fetched counts as no answer, too', async () => {
    const { asked, url } = await world(good);
    const token = { get: () => Promise.reject(new Error('no token')), discard: () => undefined };
    const client = upstream({ service: 'lms', baseUrl: url, token });
    await expect(client({ path: path`/`, reply: REPLY })).rejects.toThrow(UpstreamFailure);
    expect(asked).toHaveLength(0);
  });
});

describe('Retry-After', () => {
  test.each([
    ['429', 429],
    ['503', 503],
  ])('of a %s is waited for', async (_case, status) => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const { call, asked: requests } = await world({ status, headers: { 'retry-after': '2' } }, good);
    const answered = call();
    await asked(1);
    while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(1_999);
    // A request that was sent too early would have come in by now.
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answered).toEqual({ value: 1 });
    expect(requests).toHaveLength(2);
  });

  test('a wait that is too long for the caller ends the call', async () => {
    const { call, asked } = await world({ status: 429, headers: { 'retry-after': '3' } });
    await expect(call()).rejects.toMatchObject({ isBusy: true, retryAfterMs: 3_000 });
    expect(asked).toHaveLength(1);
  });

  test('a busy service gets more attempts than one that does not answer', async () => {
    const busy = { status: 429 };
    const { call, asked } = await world(busy, busy, busy, busy, good);
    expect(await call()).toEqual({ value: 1 });
    expect(asked).toHaveLength(5);
  });

  test.each([
    [undefined, 0],
    ['', 0],
    ['5', 5_000],
    ['0', 0],
    [['7', '8'], 7_000],
    ['Mon, 01 Jun 2026 12:00:09 GMT', 9_000],
    ['Mon, 01 Jun 2026 11:00:00 GMT', 0],
    ['soon', 0],
  ])('%o is %i ms', (header, ms) => {
    expect(waitOf(header, Date.parse('2026-06-01T12:00:00Z'))).toBe(ms);
  });
});

test.each([
  [undefined, 0],
  ['', 0],
  ['1780315205', 5_000],
  ['1780315195', 0],
  [['1780315201'], 1_000],
  ['soon', 0],
])('a limit that is lifted at %o is waited for %i ms', (header, ms) => {
  expect(waitUntil(header, Date.parse('2026-06-01T12:00:00Z'))).toBe(ms);
});

describe('whether something may have been done', () => {
  test.each<[string, Answer, boolean]>([
    ['busy', { status: 429 }, true],
    ['unknown caller', { status: 401 }, true],
    ['failure', { status: 500 }, false],
    ['gateway', { status: 503 }, false],
    ['garbage', { status: 200, body: 'no' }, false],
    ['hung up', (response) => response.destroy(), false],
  ])('%s: certainly not is %j', async (_what, answer, isUndone) => {
    const { call } = await world(answer);
    await expect(call({ method: 'POST' })).rejects.toMatchObject({ isUndone });
  });

  test('connection refused or open circuit: certainly no effect', async () => {
    const { call, stop } = await world({ status: 500 });
    await stop();
    for (let time = 0; time < 11; time += 1) {
      await expect(call({ method: 'POST' })).rejects.toMatchObject({ isUndone: true });
    }
    await expect(call({ method: 'POST' })).rejects.toThrow('is cut off');
  });
});

describe('a service that is down', () => {
  const fail = async (call: () => Promise<unknown>, times: number) => {
    for (let n = 0; n < times; n += 1) await expect(call()).rejects.toThrow(UpstreamFailure);
  };

  /** Each about something else. */
  const writes = (call: (change: Partial<Call<typeof REPLY>>) => Promise<unknown>) => {
    let course = 0;
    return () => call({ method: 'POST', about: [`course ${++course}`] });
  };

  test('is cut off after ten failures, tried again after a while, and back with the first answer', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { call, asked, answer } = await world({ status: 500 });
    const write = writes(call);
    await fail(write, 10);
    expect(asked).toHaveLength(10);

    answer(good);
    await expect(write()).rejects.toThrow('lms: is cut off after repeated failures');
    vi.setSystemTime(Date.now() + CUT_OFF_MS - 1);
    await expect(call()).rejects.toThrow('is cut off');
    expect(asked).toHaveLength(10);

    vi.setSystemTime(Date.now() + 1);
    expect(await write()).toEqual({ value: 1 });
    expect(await write()).toEqual({ value: 1 });
    expect(asked).toHaveLength(12);
  });

  test('the circuit opens after three timeouts; one call probes, and others wait for it briefly', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { call, answer, asked: requests } = await world(hang);
    await fail(() => call({ timeoutMs: 50 }), 3);
    expect(requests).toHaveLength(3);
    await expect(call()).rejects.toThrow('is cut off');

    vi.setSystemTime(Date.now() + CUT_OFF_MS);
    let late: ServerResponse | undefined;
    answer((response) => {
      late = response;
    });
    const trial = call();
    await asked(4);
    await expect(call()).rejects.toThrow('is cut off');
    late?.end('{"value":1}');
    expect(await trial).toEqual({ value: 1 });
    answer(good);
    expect(await call()).toEqual({ value: 1 });
  });

  test('a service that is back serves all concurrent calls', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { call, answer } = await world({ status: 500 });
    await fail(writes(call), 10);
    answer(good);
    vi.setSystemTime(Date.now() + CUT_OFF_MS);
    const replies = await Promise.all(Array.from({ length: 20 }, () => call()));
    expect(replies).toHaveLength(20);
  });

  test('stays cut off when the trial fails', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { call, asked } = await world({ status: 500 });
    const write = writes(call);
    await fail(write, 10);
    vi.setSystemTime(Date.now() + CUT_OFF_MS);
    await fail(write, 3);
    expect(asked).toHaveLength(11);
  });

  test.each([
    ['refuses', { status: 422 }],
    ['is busy', { status: 429 }],
  ])('is not one that %s', async (_what, answer) => {
    const { call, asked } = await world(answer);
    for (let n = 0; n < 20; n += 1) await expect(call({ method: 'POST' })).rejects.toThrow(/answered 4/);
    expect(asked).toHaveLength(20);
  });

  test('is not cut off for failures between answers', async () => {
    const { call, answer } = await world({ status: 500 });
    const write = writes(call);
    await fail(write, 9);
    answer(good);
    await write();
    answer({ status: 500 });
    await fail(write, 9);
    answer(good);
    expect(await write()).toEqual({ value: 1 });
  });

  test.each<[string, Answer]>([
    ['fails', { status: 500 }],
    ['answers garbage', { status: 200, body: 'no' }],
    ['breaks off', (response) => void response.end('{"value":')],
    ['answers too much', (response) => void response.end(`{"value":1,"more":"${'x'.repeat(11_000_000)}"}`)],
  ])('is not one that %s about one thing, however often', async (_what, answer) => {
    const { call, answer: next } = await world(answer);
    await fail(() => call({ method: 'POST', about: ['course', 'learner 1'] }), 20);
    // One learner's account is not the service either, whatever courses it tries.
    for (let course = 0; course < 20; course += 1)
      await fail(() => call({ method: 'POST', about: [`course ${course}`, 'learner 1'] }), 1);
    next(good);
    expect(await call({ path: path`/other/` })).toEqual({ value: 1 });
  });

  test('timeouts open the circuit for any subject', async () => {
    const { call } = await world(drop);
    await fail(() => call({ method: 'POST', about: ['course'] }), 10);
    await expect(call({ path: path`/other/` })).rejects.toThrow('is cut off');
  });

  test('that talks again, badly about one thing, is spoken to', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { call, answer } = await world(drop);
    await fail(() => call({ method: 'POST' }), 10);
    vi.setSystemTime(Date.now() + CUT_OFF_MS);
    answer({ status: 500 });
    await fail(() => call({ method: 'POST' }), 1);
    answer(good);
    expect(await call({ path: path`/other/` })).toEqual({ value: 1 });
  });
});

describe('a resource with bad answers', () => {
  test('is in the negative cache for a while; others are not, and a success ends it', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { call, asked: requests, answer } = await world({ status: 500 });
    const bad = () => call({ query: { key: 'bad' } });
    for (let n = 0; n < REMEMBERED_AFTER; n += 1) await expect(bad()).rejects.toThrow(UpstreamFailure);
    const before = requests.length;
    await expect(bad()).rejects.toThrow('is not asked again so soon');
    expect(requests).toHaveLength(before);

    answer(good);
    expect(await call({ query: { key: 'good' } })).toEqual({ value: 1 });
    vi.setSystemTime(Date.now() + REMEMBERED_MS - 1);
    await expect(bad()).rejects.toThrow('is not asked again so soon');
    vi.setSystemTime(Date.now() + 1);
    expect(await bad()).toEqual({ value: 1 });
    answer({ status: 500 });
    await expect(bad()).rejects.toThrow('answered 500');
  });

  test('is written to nevertheless: only the service knows what became of a write', async () => {
    const { call, asked: requests } = await world({ status: 500 });
    for (let n = 0; n < 6; n += 1) await expect(call({ method: 'POST' })).rejects.toThrow('answered 500');
    expect(requests).toHaveLength(6);
  });
});
