import { inSpan, SpanKind, traceparent } from '@enterprise-access/tracing';
import {
  BrokenCircuitError,
  DelegateBackoff,
  handleWhen,
  type IRetryBackoffContext,
  isBrokenCircuitError,
  retry,
  wrap,
} from 'cockatiel';
import { Agent, request } from 'undici';
import type { z } from 'zod';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { currentRequestId } from '../kernel/request-scope.ts';
import { circuitChanged, upstreamCalled } from '../kernel/telemetry.ts';
import { circuit } from './circuit.ts';
import { waitOf, waitUntil } from './retry-after.ts';
import type { TokenSource } from './token.ts';

export interface UpstreamOptions {
  readonly service: string;
  readonly baseUrl: string;
  readonly token: TokenSource;
  /** Word before the token; `JWT` unless told otherwise. */
  readonly scheme?: 'JWT' | 'Bearer';
  /** Bound on one call with all its attempts, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface Call<T extends z.ZodType> {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  /** Instead of a body, for the few calls that take forms. */
  readonly form?: Readonly<Record<string, string>>;
  readonly reply: T;
  /** May be sent again after an unknown outcome: reads, and writes that carry a key. */
  readonly repeatable?: boolean;
  /** Bound instead of the service's, in milliseconds. */
  readonly timeoutMs?: number;
  /** Bound below the service's, in milliseconds, for what shall not keep anybody waiting. */
  readonly atMostMs?: number;
}

export type Upstream = <T extends z.ZodType>(call: Call<T>) => Promise<z.infer<T>>;

const agent = new Agent({
  connections: 64,
  pipelining: 1,
  keepAliveTimeout: 30_000,
  // An address where nobody listens shall not use up the time of the whole call.
  connect: { timeout: 3_000 },
  maxResponseSize: 10_000_000,
});

/** A caller waits for us: what asks for more than this, in milliseconds, is not waited for. */
const LONGEST_WAIT_MS = 2_000;

const isSilent = (error: unknown): boolean => error instanceof UpstreamFailure && !error.isBusy;
const isTimeout = (error: unknown): boolean =>
  error instanceof UpstreamFailure && error.cause instanceof Error && error.cause.name === 'TimeoutError';
const isWorthWaiting = (error: unknown): boolean =>
  error instanceof UpstreamFailure && error.retryAfterMs <= LONGEST_WAIT_MS;

/** As long as the service asks for, and at least a doubling and jittered pause. */
function pause({ attempt, result }: IRetryBackoffContext<unknown>): number {
  const asked = 'error' in result && result.error instanceof UpstreamFailure ? result.error.retryAfterMs : 0;
  const doubled = Math.min(50 * 2 ** (attempt - 1), LONGEST_WAIT_MS);
  return Math.max(asked, doubled * (0.5 + Math.random() / 2));
}

/** One typed client per service: bounded in time, retried where that is safe, and cut off while the service is down. */
export function upstream(options: UpstreamOptions): Upstream {
  const backoff = new DelegateBackoff(pause);
  const told = (isOpen: boolean) => circuitChanged.publish({ service: options.service, isOpen });
  told(false);
  const breaker = circuit({ isFailure: isSilent, isTimeout, onChange: told });
  const safely = wrap(
    // Who is busy will be there soon; who is silent gets fewer chances.
    retry(
      handleWhen((error) => isWorthWaiting(error) && !isSilent(error)),
      { maxAttempts: 6, backoff },
    ),
    retry(
      handleWhen((error) => isWorthWaiting(error) && isSilent(error)),
      { maxAttempts: 2, backoff },
    ),
  );
  return async (call) => {
    const repeatable = call.repeatable ?? (call.method ?? 'GET') === 'GET';
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? 10_000;
    const signal = AbortSignal.timeout(Math.min(timeoutMs, call.atMostMs ?? timeoutMs));
    const once = () => breaker.execute(() => attempt(options, call, signal), signal);
    const start = performance.now();
    const ended = (outcome: 'answered' | 'refused' | 'failed' | 'cut_off') =>
      upstreamCalled.publish({ service: options.service, outcome, seconds: (performance.now() - start) / 1_000 });
    try {
      const reply = await (repeatable ? safely.execute(once, signal) : once());
      ended('answered');
      return reply;
    } catch (error) {
      if (error instanceof UpstreamRefusal) ended('refused');
      else ended(error instanceof BrokenCircuitError ? 'cut_off' : 'failed');
      if (error instanceof UpstreamRefusal || error instanceof UpstreamFailure) throw error;
      // Stopped by the breaker; or out of time between two attempts, of which the first may have done something.
      const isUndone = isBrokenCircuitError(error);
      throw new UpstreamFailure(options.service, 'is cut off after repeated failures', { cause: error, isUndone });
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

interface Reply {
  readonly status: number;
  readonly text: string;
  /** How long it asks us to wait, in milliseconds. */
  readonly waitMs: number;
}

async function send(
  options: UpstreamOptions,
  call: Call<z.ZodType>,
  token: string,
  signal: AbortSignal,
): Promise<Reply> {
  const method = call.method ?? 'GET';
  const attributes = { 'http.request.method': method, 'peer.service': options.service };
  return inSpan(`${method} ${options.service}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    const reply = await exchange(options, call, token, signal);
    span?.setAttribute('http.response.status_code', reply.status);
    return reply;
  });
}

const FORM = 'application/x-www-form-urlencoded';
const jsonOf = (body: unknown): string | undefined => (body === undefined ? undefined : JSON.stringify(body));

async function exchange(
  options: UpstreamOptions,
  call: Call<z.ZodType>,
  token: string,
  signal: AbortSignal,
): Promise<Reply> {
  const requestId = currentRequestId();
  const trace = traceparent();
  const body = call.form ? new URLSearchParams(call.form).toString() : jsonOf(call.body);
  const reply = await request(urlOf(options.baseUrl, call), {
    method: call.method ?? 'GET',
    dispatcher: agent,
    signal,
    headers: {
      authorization: `${options.scheme ?? 'JWT'} ${token}`,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': call.form ? FORM : 'application/json' }),
      ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
      ...(trace === null ? {} : { traceparent: trace }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const waitMs =
    waitOf(reply.headers['retry-after'], Date.now()) || waitUntil(reply.headers['x-ratelimit-reset'], Date.now());
  return { status: reply.statusCode, text: await reply.body.text(), waitMs };
}

/** Waiting for a token is part of the call. */
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
 * Keys rotate: a token that is refused before its time is replaced once. Nothing was done in its name, so calls that
 * must not be repeated are, too.
 */
async function sendWithToken(options: UpstreamOptions, call: Call<z.ZodType>, signal: AbortSignal): Promise<Reply> {
  const token = await tokenFor(options, signal);
  const reply = await send(options, call, token, signal);
  if (reply.status !== 401) return reply;
  options.token.discard(token);
  const fresh = await tokenFor(options, signal);
  return fresh === token ? reply : send(options, call, fresh, signal);
}

/** Errors of a connection that was never made. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

const isUnreached = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && UNREACHED.has(String(error.code));

async function attempt<T extends z.ZodType>(
  options: UpstreamOptions,
  call: Call<T>,
  signal: AbortSignal,
): Promise<z.infer<T>> {
  const { service } = options;
  let reply: Reply;
  try {
    reply = await sendWithToken(options, call, signal);
  } catch (error) {
    throw new UpstreamFailure(service, 'did not answer', { cause: error, isUndone: isUnreached(error) });
  }
  const { status } = reply;
  // Whoever does not know us has not judged the request.
  if (status === 401 || status === 408 || status === 429 || status >= 500) {
    const isBusy = status === 429;
    const isUndone = isBusy || status === 401;
    throw new UpstreamFailure(service, `answered ${status}`, { isBusy, isUndone, retryAfterMs: reply.waitMs });
  }
  const body = parseJson(reply.text);
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
