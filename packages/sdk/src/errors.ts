/** Properties of a failed call. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly status: number | null;
  readonly requestId: string | null;
  readonly details: unknown;
  readonly operation: string;
  readonly idempotencyKey: string | null;
  readonly isRetryable: boolean;
  readonly retryAfterMs: number | null;
  readonly cause?: unknown;
}

/** Base class of all errors. Use `code` to distinguish them; class names change with minification. */
export abstract class EnterpriseAccessError<C extends string = string, D = unknown> extends Error {
  /** Stable machine name: `not_redeemable`, `timeout`, `http_502`. */
  readonly code: C;
  /** HTTP status of the reply; null when there was none. */
  readonly status: number | null;
  /** Id of the request in the logs of the service; null without a reply. */
  readonly requestId: string | null;
  /** Typed details; the type depends on the class. */
  readonly details: D;
  /** The operation that was called: `redemptions.redeem`. */
  readonly operation: string;
  /** Idempotency key of the mutation: repeat the call with this key to retry it safely. Null for queries. */
  readonly idempotencyKey: string | null;
  /** Whether the same call can succeed later. The client has already retried it as often as its options allow. */
  readonly isRetryable: boolean;
  /** `Retry-After` of the service in milliseconds; null if missing. */
  readonly retryAfterMs: number | null;

  constructor(failure: Failure) {
    super(failure.message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.name = nameOf(failure.code);
    this.code = failure.code as C;
    this.status = failure.status;
    this.requestId = failure.requestId;
    this.details = failure.details as D;
    this.operation = failure.operation;
    this.idempotencyKey = failure.idempotencyKey;
    this.isRetryable = failure.isRetryable;
    this.retryAfterMs = failure.retryAfterMs;
  }
}

/** `not_redeemable` is `NotRedeemableError`; the names of classes do not survive minification. */
const nameOf = (code: string): string =>
  `${code.replace(/_error$/, '').replace(/(?:^|_)(\w)/g, (_all, letter: string) => letter.toUpperCase())}Error`;

/**
 * A declared error of the service. Each declared error has its own class; errors that are newer than this client use
 * this one.
 */
export class DeclaredError<C extends string = string, D = unknown> extends EnterpriseAccessError<C, D> {}

/** An error reply without a declared error, for example from a proxy. */
export class HttpError extends EnterpriseAccessError<`http_${number}`, HttpErrorDetails> {}

/** Details of an `HttpError`. */
export interface HttpErrorDetails {
  /** Media type of the reply; empty if missing. */
  readonly contentType: string;
}

/** No reply: unknown host, connection refused, or connection lost. `cause` has the reason. */
export class ConnectionError extends EnterpriseAccessError<'connection', null> {}

/** No complete reply within `timeoutMs`. A mutation may have happened: repeat it with its idempotency key. */
export class TimeoutError extends EnterpriseAccessError<'timeout', TimeoutErrorDetails> {}

/** Details of a `TimeoutError`. */
export interface TimeoutErrorDetails {
  /** Limit of one attempt, in milliseconds. */
  readonly timeoutMs: number;
}

/** The caller's signal was aborted; `cause` is its reason. */
export class AbortedError extends EnterpriseAccessError<'aborted', null> {}

/** A success status with an invalid body: HTML, an empty body, or a truncated one. */
export class UnreadableReplyError extends EnterpriseAccessError<'unreadable_reply', HttpErrorDetails> {}

/**
 * Nothing was sent: `token` or another function of the options failed, or the input cannot be serialized. `cause` has
 * the reason.
 */
export class RequestError extends EnterpriseAccessError<'request', null> {}

/** Class of a declared error. */
export type ErrorClass = new (failure: Failure) => EnterpriseAccessError;

/** Messages by field, in the structure of the input; `non_field_errors` has those of the whole input. */
export interface FieldErrors {
  /** Sentences about a field, or about the fields inside it. */
  readonly [field: string]: readonly string[] | FieldErrors;
}

/** An error without details. */
export type NoDetails = Readonly<Record<string, never>>;
