import { upstreamUnavailable } from '../errors.ts';

/** A reply that says no: the service worked and refused. Carries what it said, for those who must pass it on. */
export class UpstreamRefusal extends Error {
  override readonly name = 'UpstreamRefusal';
  readonly service: string;
  readonly status: number;
  /** Undefined when it is no JSON. */
  readonly body: unknown;
  /** The body as it came. */
  readonly text: string;
  constructor(service: string, status: number, body: unknown, text = body === undefined ? '' : JSON.stringify(body)) {
    super(`${service} answered ${status}`);
    this.service = service;
    this.status = status;
    this.body = body;
    this.text = text;
  }
}

/** No usable reply: the service may or may not have done what was asked. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly service: string;
  /** It is there and asks for patience, so it is no reason to cut it off. */
  readonly isBusy: boolean;
  /** It did not get to see the request, or turned it away unread: certainly nothing was done. */
  readonly isUndone: boolean;
  /** It answered, but not usefully: that can be about the one thing that was asked for. */
  readonly isAnswer: boolean;
  /** How long it asks us to wait, in milliseconds. */
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

/** The call's result, or null when the service says that there is no such thing. */
export async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamRefusal && error.status === 404) return null;
    throw error;
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
