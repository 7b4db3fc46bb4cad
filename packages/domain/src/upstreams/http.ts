import { inSpan, SpanKind, traceparent } from '@enterprise-access/tracing';
import type { z } from 'zod';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { currentRequestId } from '../kernel/request-scope.ts';
import { circuitChanged, upstreamCalled } from '../kernel/telemetry.ts';
import type { Path } from './path.ts';
import { badResources, circuit, isCutOff, retried, type Subject } from './resilience.ts';
import { waitOf, waitUntil } from './retry-after.ts';
import type { TokenSource } from './token.ts';
import { BrokenReply, exchange, isUnreached } from './transport.ts';

export interface UpstreamOptions {
  readonly service: string;
  readonly baseUrl: string;
  readonly token: TokenSource;
  /** Authorization scheme; default `JWT`. */
  readonly scheme?: 'JWT' | 'Bearer';
  /** Timeout of a call including its retries, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface Call<T extends z.ZodType> {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: Path;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  /** Form data instead of a JSON body. */
  readonly form?: Readonly<Record<string, string>>;
  readonly reply: T;
  /** Can be retried after an unknown result: reads, and idempotent writes. */
  readonly repeatable?: boolean;
  /** Overrides the timeout of the service, in milliseconds. */
  readonly timeoutMs?: number;
  /** Possible causes of a bad answer, such as course and learner, for the circuit breaker; default path and query. */
  readonly about?: Subject;
  /** Additional upper bound of the timeout, in milliseconds. */
  readonly atMostMs?: number;
}

export type Upstream = <T extends z.ZodType>(call: Call<T>) => Promise<z.infer<T>>;

/** HTTP client of one service, with timeout, retries of idempotent calls, and a circuit breaker. */
export function upstream(options: UpstreamOptions): Upstream {
  const { service } = options;
  const told = (isOpen: boolean) => circuitChanged.publish({ service, isOpen });
  told(false);
  const breaker = circuit(told);
  const bad = badResources(service);
  return async (call) => {
    const method = call.method ?? 'GET';
    const repeatable = call.repeatable ?? method === 'GET';
    const url = urlOf(options.baseUrl, call);
    // A value that cannot be a path segment: answer 404 without a call, so that no other resource is requested.
    if (url === null) throw new UpstreamRefusal(service, 404, null);
    const resource = `${method} ${url.pathname}${url.search}`;
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? 10_000;
    const signal = AbortSignal.timeout(Math.min(timeoutMs, call.atMostMs ?? timeoutMs));
    const once = () => breaker.execute(() => attempt(options, url, call, signal), call.about ?? [resource], signal);
    const start = performance.now();
    const ended = (outcome: 'answered' | 'refused' | 'failed' | 'cut_off') =>
      upstreamCalled.publish({ service, outcome, seconds: (performance.now() - start) / 1_000 });
    try {
      // The negative cache applies to reads only.
      if (method === 'GET') bad.assertGood(resource);
      const reply = await (repeatable ? retried(once, signal) : once());
      bad.answered(resource);
      ended('answered');
      return reply;
    } catch (error) {
      if (error instanceof UpstreamRefusal) {
        bad.answered(resource);
        ended('refused');
        throw error;
      }
      ended(isCutOff(error) ? 'cut_off' : 'failed');
      if (error instanceof UpstreamFailure) {
        if (error.isAnswer && !error.isBusy && method === 'GET') bad.failed(resource, error.cause);
        throw error;
      }
      // An open circuit had no effect; a timeout between two attempts may have had one.
      const isUndone = isCutOff(error);
      throw new UpstreamFailure(service, 'is cut off after repeated failures', { cause: error, isUndone });
    }
  };
}

function urlOf(baseUrl: string, call: Pick<Call<z.ZodType>, 'path' | 'query'>): URL | null {
  if (call.path.text === null) return null;
  const url = new URL(baseUrl.replace(/\/+$/, '') + call.path.text);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined) url.searchParams.append(name, String(item));
    }
  }
  return url;
}

interface Reply {
  readonly status: number;
  readonly text: string;
  /** `Retry-After` in milliseconds. */
  readonly waitMs: number;
}

async function send(
  options: UpstreamOptions,
  url: URL,
  call: Call<z.ZodType>,
  token: string,
  signal: AbortSignal,
): Promise<Reply> {
  const method = call.method ?? 'GET';
  const attributes = { 'http.request.method': method, 'peer.service': options.service };
  return inSpan(`${method} ${options.service}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    const headers = { authorization: `${options.scheme ?? 'JWT'} ${token}`, ...headersOf(call) };
    const reply = await exchange({ method, url, headers, body: bodyOf(call), signal });
    span?.setAttribute('http.response.status_code', reply.status);
    const now = Date.now();
    const waitMs = waitOf(reply.headers['retry-after'], now) || waitUntil(reply.headers['x-ratelimit-reset'], now);
    return { status: reply.status, text: reply.text, waitMs };
  });
}

function bodyOf({ form, body }: Call<z.ZodType>): string | undefined {
  if (form) return new URLSearchParams(form).toString();
  return body === undefined ? undefined : JSON.stringify(body);
}

function headersOf({ form, body }: Call<z.ZodType>): Record<string, string> {
  const requestId = currentRequestId();
  const trace = traceparent();
  return {
    accept: 'application/json',
    ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
    ...(!form && body !== undefined ? { 'content-type': 'application/json' } : {}),
    ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
    ...(trace === null ? {} : { traceparent: trace }),
  };
}

/** Fetches the token within the timeout of the call. */
function tokenFor({ token }: UpstreamOptions, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = () => reject(signal.reason);
    signal.addEventListener('abort', late, { once: true });
    token
      .get()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', late));
  });
}

/**
 * Sends a request; if the token is rejected (after a key rotation), retries once with a new one. That is safe for all
 * calls, because a rejected request has no effect.
 */
async function sendWithToken(
  options: UpstreamOptions,
  url: URL,
  call: Call<z.ZodType>,
  signal: AbortSignal,
): Promise<Reply> {
  const token = await tokenFor(options, signal);
  const reply = await send(options, url, call, token, signal);
  if (reply.status !== 401) return reply;
  options.token.discard(token);
  const fresh = await tokenFor(options, signal);
  return fresh === token ? reply : send(options, url, call, fresh, signal);
}

async function attempt<T extends z.ZodType>(
  options: UpstreamOptions,
  url: URL,
  call: Call<T>,
  signal: AbortSignal,
): Promise<z.infer<T>> {
  const { service } = options;
  let reply: Reply;
  try {
    reply = await sendWithToken(options, url, call, signal);
  } catch (error) {
    const isAnswer = error instanceof BrokenReply;
    throw new UpstreamFailure(service, 'did not answer', { cause: error, isUndone: isUnreached(error), isAnswer });
  }
  const { status } = reply;
  // These statuses do not refuse the request itself.
  if (status === 401 || status === 408 || status === 429 || status >= 500) {
    const isBusy = status === 429;
    const isUndone = isBusy || status === 401;
    throw new UpstreamFailure(service, `answered ${status}`, {
      isBusy,
      isUndone,
      isAnswer: true,
      retryAfterMs: reply.waitMs,
    });
  }
  const body = parseJson(reply.text);
  if (status >= 400) throw new UpstreamRefusal(service, status, body, reply.text);
  const parsed = call.reply.safeParse(body);
  if (!parsed.success) {
    const options = { cause: parsed.error, isAnswer: true };
    throw new UpstreamFailure(service, 'answered something else than agreed', options);
  }
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}
