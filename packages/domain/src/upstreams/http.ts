import { ConsecutiveBreaker, circuitBreaker, ExponentialBackoff, handleWhen, retry, wrap } from 'cockatiel';
import { Agent, request } from 'undici';
import type { z } from 'zod';
import { upstreamUnavailable } from '../kernel/errors.ts';
import { currentRequestId } from '../kernel/request-scope.ts';

/** A reply that says no: the service worked and refused. Carries what it said, for those who must pass it on. */
export class UpstreamRefusal extends Error {
  override readonly name = 'UpstreamRefusal';
  readonly service: string;
  readonly status: number;
  readonly body: unknown;
  constructor(service: string, status: number, body: unknown) {
    super(`${service} answered ${status}`);
    this.service = service;
    this.status = status;
    this.body = body;
  }
}

/** No usable reply: the service may or may not have done what was asked. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly service: string;
  constructor(service: string, message: string, options?: ErrorOptions) {
    super(`${service}: ${message}`, options);
    this.service = service;
  }
}

export interface UpstreamOptions {
  readonly service: string;
  readonly baseUrl: string;
  readonly token: () => Promise<string>;
  /** Bound on one attempt, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface Call<T extends z.ZodType> {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  readonly reply: T;
  /** May be sent again after an unknown outcome: reads, and writes that carry a key. */
  readonly repeatable?: boolean;
  readonly timeoutMs?: number;
}

export type Upstream = <T extends z.ZodType>(call: Call<T>) => Promise<z.infer<T>>;

const agent = new Agent({ connections: 64, pipelining: 1, keepAliveTimeout: 30_000 });
const MAXIMUM_BODY_BYTES = 10_000_000;

const isFailure = (error: unknown): boolean => error instanceof UpstreamFailure;

/** One typed client per service: bounded in time, retried where that is safe, and cut off while the service is down. */
export function upstream(options: UpstreamOptions): Upstream {
  const breaker = circuitBreaker(handleWhen(isFailure), { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(10) });
  const again = retry(handleWhen(isFailure), {
    maxAttempts: 2,
    backoff: new ExponentialBackoff({ initialDelay: 50, maxDelay: 500 }),
  });
  const safely = wrap(again, breaker);
  return async (call) => {
    const repeatable = call.repeatable ?? (call.method ?? 'GET') === 'GET';
    try {
      return await (repeatable ? safely : breaker).execute(() => attempt(options, call));
    } catch (error) {
      if (error instanceof UpstreamRefusal || error instanceof UpstreamFailure) throw error;
      throw new UpstreamFailure(options.service, 'is cut off after repeated failures', { cause: error });
    }
  };
}

function urlOf(baseUrl: string, call: Pick<Call<z.ZodType>, 'path' | 'query'>): URL {
  const url = new URL(baseUrl.replace(/\/+$/, '') + call.path);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined) url.searchParams.append(name, String(item));
    }
  }
  return url;
}

async function attempt<T extends z.ZodType>(options: UpstreamOptions, call: Call<T>): Promise<z.infer<T>> {
  const { service } = options;
  const requestId = currentRequestId();
  let status: number;
  let text: string;
  try {
    const reply = await request(urlOf(options.baseUrl, call), {
      method: call.method ?? 'GET',
      dispatcher: agent,
      signal: AbortSignal.timeout(call.timeoutMs ?? options.timeoutMs ?? 10_000),
      headers: {
        authorization: `JWT ${await options.token()}`,
        accept: 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    status = reply.statusCode;
    text = await reply.body.text();
  } catch (error) {
    throw new UpstreamFailure(service, 'did not answer', { cause: error });
  }
  if (text.length > MAXIMUM_BODY_BYTES) throw new UpstreamFailure(service, 'answered more than can be read');
  const body = parseJson(text);
  if (status >= 500 || status === 429 || status === 408) throw new UpstreamFailure(service, `answered ${status}`);
  if (status >= 400) throw new UpstreamRefusal(service, status, body);
  const parsed = call.reply.safeParse(body);
  if (!parsed.success)
    throw new UpstreamFailure(service, 'answered something else than agreed', { cause: parsed.error });
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** At the edge of a use case: an unanswered call becomes the declared error, with the reason for the log. */
export async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal) {
      throw upstreamUnavailable({ service: error.service }, { cause: error });
    }
    throw error;
  }
}
