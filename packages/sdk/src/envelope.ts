import { DeclaredError, type EnterpriseAccessError, UnreadableReplyError } from './errors.ts';
import { type Arrival, answered, isJson, type Request, refusal } from './exchange.ts';
import type { Settings } from './options.ts';
import { wire } from './wire.ts';

type Head = Omit<Arrival<unknown>, 'body'>;

/** The error in a reply of the service. */
interface Shape {
  readonly message?: string;
  readonly data?: {
    readonly httpStatus?: number;
    readonly requestId?: string | null;
    readonly domain?: { readonly code: string; readonly details: unknown };
  };
}

/** The envelope of one answer; a batch has one per operation. */
export interface Envelope {
  readonly result?: { readonly data?: unknown };
  readonly error?: unknown;
}

/** Error for a success reply that is not from the service. */
export const unreadable = (request: Request, head: Head, message: string, isRetryable: boolean, cause?: unknown) =>
  new UnreadableReplyError({
    ...answered(request, head),
    code: 'unreadable_reply',
    message,
    isRetryable,
    cause,
  });

/** Parses the JSON of a reply; throws an SDK error if it is not JSON. */
export async function readJson(request: Request, response: Response, head: Head): Promise<unknown> {
  const text = await response.text();
  if (!isJson(head.headers) || text === '') {
    if (!response.ok) throw refusal(request, head);
    const what = text === '' ? 'The reply has no body.' : 'The reply is no JSON. Is baseUrl right?';
    throw unreadable(request, head, what, false);
  }
  try {
    return JSON.parse(text);
  } catch {
    if (!response.ok) throw refusal(request, head);
    // The reply was truncated; a retry can succeed. The parser's error is dropped because it quotes the body.
    throw unreadable(request, head, 'The reply is not complete JSON.', true);
  }
}

const isEnvelope = (value: unknown): value is Envelope =>
  typeof value === 'object' && value !== null && ('result' in value || 'error' in value);

/** The declared error of a shape as an instance of its class. */
export function errorOf(settings: Settings, request: Request, head: Head, wired: unknown): EnterpriseAccessError {
  const serializer = settings.serializer ?? wire;
  const { message, data } = (serializer.deserialize(wired as never) ?? {}) as Shape;
  const status = data?.httpStatus ?? head.status;
  const requestId = data?.requestId ?? head.requestId;
  const domain = data?.domain;
  if (!domain) return refusal(request, { ...head, status, requestId }, message);
  const failure = {
    ...answered(request, { ...head, status, requestId }),
    code: domain.code,
    message: message ?? domain.code,
    details: domain.details,
  };
  const wanted = (domain.details as { retryAfterSeconds?: unknown } | null)?.retryAfterSeconds;
  const Class = (Object.hasOwn(settings.errors, domain.code) && settings.errors[domain.code]) || DeclaredError;
  return new Class({
    ...failure,
    // Another request with this key is running; a retry gets its reply.
    isRetryable: failure.isRetryable || domain.code === 'idempotency_key_in_use',
    retryAfterMs: failure.retryAfterMs ?? (typeof wanted === 'number' ? wanted * 1000 : null),
  });
}

/** The answer of an operation, or its error thrown. */
export function dataOf(settings: Settings, request: Request, head: Head, envelope: unknown): unknown {
  if (!isEnvelope(envelope)) {
    if (head.status >= 400) throw refusal(request, head);
    throw unreadable(request, head, 'The reply is not of this service. Is baseUrl right?', false);
  }
  try {
    if (!envelope.result) throw errorOf(settings, request, head, envelope.error);
    const { data } = envelope.result;
    return data === undefined ? undefined : (settings.serializer ?? wire).deserialize(data as never);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw unreadable(request, head, 'The reply is not in the format of this service.', false, cause);
  }
}
