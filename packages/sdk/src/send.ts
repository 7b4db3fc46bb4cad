import { dataOf, readJson } from './envelope.ts';
import { exchange, type Request } from './exchange.ts';
import type { Settings } from './options.ts';

/** A call with its options. */
export interface Call {
  /** `policies.list` */
  readonly operation: string;
  readonly isQuery: boolean;
  /** The input in the form of the wire, as JSON. */
  readonly input: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly idempotencyKey: string | null;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly attempt: number;
}

/** The answer of an operation, with its HTTP reply. */
export interface Reply<T> {
  /** The answer. */
  readonly data: T;
  /** HTTP status. */
  readonly status: number;
  /** Headers of the reply. */
  readonly headers: Headers;
  /** Id of the request in the logs of the service; null if the reply has none. */
  readonly requestId: string | null;
}

/** Servers and proxies accept URLs of this length; longer queries are sent as POST. */
const LONGEST_URL = 4_000;

/** Builds the HTTP request of one or more operations: queries are GETs if they fit into a URL. */
export function requestOf(settings: Settings, call: Call, suffix = ''): Request {
  const { operation, input: json, isQuery, headers, idempotencyKey, signal, timeoutMs, attempt } = call;
  const address = `${settings.baseUrl}/trpc/${operation}${suffix}`;
  const url = isQuery ? `${address}${suffix === '' ? '?' : '&'}input=${encodeURIComponent(json)}` : address;
  const fits = isQuery && url.length <= LONGEST_URL;
  const accept = 'application/json';
  const body = fits ? null : json;
  return {
    operation,
    url: fits ? url : address,
    body,
    accept,
    headers,
    idempotencyKey,
    signal,
    timeoutMs,
    attempt,
  };
}

/** Sends one attempt of one call as a separate request. */
export async function send(settings: Settings, call: Call): Promise<Reply<unknown>> {
  const request = requestOf(settings, call);
  const head = await exchange(settings, request, (response, arrival) => readJson(request, response, arrival));
  const { status, headers, requestId } = head;
  return { data: dataOf(settings, request, head, head.body), status, headers, requestId };
}
