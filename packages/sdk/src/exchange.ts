import {
  AbortedError,
  ConnectionError,
  EnterpriseAccessError,
  type Failure,
  HttpError,
  RequestError,
  TimeoutError,
} from './errors.ts';
import { notify, type Settings } from './options.ts';
import { isRetryableStatus, retryAfterMs } from './retry.ts';

/** One HTTP request, with data for its errors. */
export interface Request {
  /** Operations in the request; more than one in a batch. */
  readonly operation: string;
  readonly url: string;
  /** Null is a GET. */
  readonly body: string | null;
  readonly accept: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly idempotencyKey: string | null;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly attempt: number;
}

/** An HTTP reply with its body parsed as `T`. */
export interface Arrival<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly requestId: string | null;
  readonly body: T;
}

/** Common fields of errors without a reply. */
const unanswered = (request: Request): Omit<Failure, 'code' | 'message'> => ({
  status: null,
  requestId: null,
  details: null,
  operation: request.operation,
  idempotencyKey: request.idempotencyKey,
  isRetryable: false,
  retryAfterMs: null,
});

/** Common fields of errors with a reply. */
export const answered = (
  request: Request,
  { status, headers, requestId }: Omit<Arrival<unknown>, 'body'>,
): Omit<Failure, 'code' | 'message'> => ({
  ...unanswered(request),
  status,
  requestId,
  details: { contentType: mediaTypeOf(headers) },
  isRetryable: isRetryableStatus(status),
  retryAfterMs: retryAfterMs(headers),
});

const mediaTypeOf = (headers: Headers): string => (headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '';

export function isJson(headers: Headers): boolean {
  const type = headers.get('content-type') ?? '';
  return type === 'application/json' || /[/+]json\s*(;|$)/.test(type);
}

/** An error reply that is not from the service, for example from a proxy. */
export function refusal(request: Request, arrival: Omit<Arrival<unknown>, 'body'>, message?: string): HttpError {
  const { status, headers } = arrival;
  const hint = status === 404 ? ' Is baseUrl right?' : '';
  return new HttpError({
    ...answered(request, arrival),
    code: `http_${status}`,
    message: message ?? `Status ${status}, and ${mediaTypeOf(headers) || 'nothing'} instead of an answer.${hint}`,
  });
}

/** Rejects if the signal is aborted before the promise settles. */
const orAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });

/** Adds headers with lower-case names, so that later ones replace earlier ones. */
function add(to: Record<string, string>, headers: Readonly<Record<string, string>> | undefined): void {
  for (const name in headers) to[name.toLowerCase()] = headers[name] as string;
}

async function headersOf(
  settings: Settings,
  request: Request,
  signal: AbortSignal,
): Promise<Headers | Record<string, string>> {
  const { token, hooks } = settings;
  const own: Record<string, string> = {};
  add(own, settings.headers);
  own.accept = request.accept;
  if (request.body !== null) own['content-type'] = 'application/json';
  if (request.idempotencyKey !== null) own['idempotency-key'] = request.idempotencyKey;
  if (token !== undefined) {
    const given = typeof token === 'string' ? token : token();
    own.authorization = `JWT ${typeof given === 'string' ? given : await orAborted(given, signal)}`;
  }
  add(own, request.headers);
  if (!hooks?.onRequest) return own;
  const headers = new Headers(own);
  notify(() => hooks.onRequest?.({ operation: request.operation, attempt: request.attempt, headers }));
  return headers;
}

/** Whether the failure of `fetch` is about the headers that it was given, and so nothing was sent. */
function areUsable(headers: Headers | Record<string, string>): boolean {
  try {
    new Headers(headers);
    return true;
  } catch {
    return false;
  }
}

/**
 * Hint for pages of another origin: browsers do not report why a cross-origin request failed; usually the service
 * does not allow the origin.
 */
function hintForPage(origin: string): string {
  const page = (globalThis as { location?: { origin?: string } }).location?.origin;
  if (page === undefined || page === origin) return '';
  return ` If the service is running, its variable CORS_ORIGINS must include this page's origin, ${page}.`;
}

/** Longest possible timer; longer ones fire immediately. A longer timeout means no limit. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Sends a request and reads the reply; the timeout and the caller's signal cover both. */
export async function exchange<T>(
  settings: Settings,
  request: Request,
  read: (response: Response, arrival: Omit<Arrival<T>, 'body'>) => Promise<T>,
): Promise<Arrival<T>> {
  const { signal: ofCaller, timeoutMs } = request;
  const controller = new AbortController();
  const { signal } = controller;
  const leave = () => controller.abort(ofCaller?.reason);
  if (ofCaller?.aborted) leave();
  ofCaller?.addEventListener('abort', leave, { once: true });
  let isLate = false;
  const timer =
    timeoutMs > 0 && timeoutMs <= LONGEST_TIMER_MS
      ? setTimeout(() => {
          isLate = true;
          controller.abort();
        }, timeoutMs)
      : undefined;
  let headers: Headers | Record<string, string> | null = null;
  try {
    signal.throwIfAborted();
    headers = await headersOf(settings, request, signal);
    const init: RequestInit = { method: request.body === null ? 'GET' : 'POST', headers, signal };
    if (request.body !== null) init.body = request.body;
    const response = await settings.fetch(request.url, init);
    const { status } = response;
    const arrival = { status, headers: response.headers, requestId: response.headers.get('x-request-id') };
    const body = await read(response, arrival);
    return { status, headers: arrival.headers, requestId: arrival.requestId, body };
  } catch (cause) {
    if (cause instanceof EnterpriseAccessError) throw cause;
    const failure = { ...unanswered(request), cause };
    if (ofCaller?.aborted) {
      const message = 'The call was aborted.';
      throw new AbortedError({ ...failure, code: 'aborted', message, cause: ofCaller.reason });
    }
    if (isLate) {
      const message = `There was no complete reply within ${timeoutMs} ms.`;
      throw new TimeoutError({ ...failure, code: 'timeout', message, details: { timeoutMs }, isRetryable: true });
    }
    if (headers === null || !areUsable(headers)) {
      const message = 'The request could not be made: its token or headers are not usable.';
      throw new RequestError({ ...failure, code: 'request', message });
    }
    const { origin } = new URL(request.url);
    const message = `There was no complete reply from ${origin}.${hintForPage(origin)}`;
    throw new ConnectionError({ ...failure, code: 'connection', message, isRetryable: true });
  } finally {
    clearTimeout(timer);
    ofCaller?.removeEventListener('abort', leave);
  }
}
