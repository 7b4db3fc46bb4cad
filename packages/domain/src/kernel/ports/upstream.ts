import { upstreamUnavailable } from '../errors.ts';

/** Another service refused a request. Contains its reply, to pass it on. */
export class UpstreamRefusal extends Error {
  override readonly name = 'UpstreamRefusal';
  readonly service: string;
  readonly status: number;
  /** Undefined if the body is not JSON. */
  readonly body: unknown;
  /** The original body. */
  readonly text: string;
  constructor(service: string, status: number, body: unknown, text = body === undefined ? '' : JSON.stringify(body)) {
    super(`${service} answered ${status}`);
    this.service = service;
    this.status = status;
    this.body = body;
    this.text = text;
  }
}

/** No usable reply from another service: the request may or may not have had its effect. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly service: string;
  /** The service is up but busy; does not count as a failure for the circuit breaker. */
  readonly isBusy: boolean;
  /** The service did not receive the request or rejected it unread, so it had no effect. */
  readonly isUndone: boolean;
  /** The service answered with an error, which can be specific to this request. */
  readonly isAnswer: boolean;
  /** `Retry-After` of the reply, in milliseconds. */
  readonly retryAfterMs: number;
  constructor(
    service: string,
    message: string,
    options?: ErrorOptions & { isBusy?: boolean; isUndone?: boolean; isAnswer?: boolean; retryAfterMs?: number },
  ) {
    super(`${service}: ${message}`, options);
    this.service = service;
    this.isBusy = options?.isBusy ?? false;
    this.isUndone = options?.isUndone ?? this.isBusy;
    this.isAnswer = options?.isAnswer ?? false;
    this.retryAfterMs = options?.retryAfterMs ?? 0;
  }
}

/** Returns the result, or null if the service answered 404. */
export async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamRefusal && error.status === 404) return null;
    throw error;
  }
}

/** Converts an `UpstreamFailure` to the declared error, with the reason as `cause` for the log. */
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

/** The result is unknown: the request may have had its effect. */
export interface Unknown {
  readonly outcome: 'unknown';
  readonly cause: UpstreamFailure | UpstreamRefusal;
}

export const isUnknown = (result: unknown): result is Unknown =>
  typeof result === 'object' && result !== null && 'outcome' in result && result.outcome === 'unknown';

/** Returns an unknown result as a value instead of an exception, for calls that may have had their effect. */
export async function orUnknown<T>(work: Promise<T>): Promise<T | Unknown> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal)
      return { outcome: 'unknown', cause: error };
    throw error;
  }
}

/**
 * Completes items that crashes or unavailable services left open, one after the other. An item whose service is still
 * unavailable stays open and does not block the others. Returns how many items were found and how many are still
 * open.
 */
export async function finishEach<T>(
  items: readonly T[],
  finish: (item: T) => Promise<unknown>,
  onOpen: (item: T, cause: Unknown['cause']) => void,
): Promise<{ found: number; open: number }> {
  let open = 0;
  for (const item of items) {
    const result = await orUnknown(finish(item));
    if (!isUnknown(result)) continue;
    open += 1;
    onOpen(item, result.cause);
  }
  return { found: items.length, open };
}
