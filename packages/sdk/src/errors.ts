/** What is known of a failed call besides its message. */
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

/** Every failure of a call. `code` tells which one it is, whatever its class is called after minification. */
export abstract class EnterpriseAccessError<C extends string = string, D = unknown> extends Error {
  /** Stable machine name: `not_redeemable`, `timeout`, `http_502`. */
  readonly code: C;
  /** HTTP status of the reply; null when there was none. */
  readonly status: number | null;
  /** Names the request in the logs of the service; null when no reply told it. */
  readonly requestId: string | null;
  /** What the failure has to say besides its message; its type belongs to the class. */
  readonly details: D;
  /** The operation that was called: `redemptions.redeem`. */
  readonly operation: string;
  /** Key that the mutation was sent with: a call with this key again is the same call. Null for queries. */
  readonly idempotencyKey: string | null;
  /** Whether the same call can succeed later. The client has repeated it already, as often as its options allow. */
  readonly isRetryable: boolean;
  /** Milliseconds after which the service wants to be asked again; null when it did not say. */
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

/** A failure that the service declares. Each has a class of its own; one that is newer than this client has this. */
export class DeclaredError<C extends string = string, D = unknown> extends EnterpriseAccessError<C, D> {}

/** The service, or something before it such as a proxy, refused without one of the declared errors. */
export class HttpError extends EnterpriseAccessError<`http_${number}`, HttpErrorDetails> {}

/** What came instead of a declared error. */
export interface HttpErrorDetails {
  /** Media type of the reply; empty when it did not say. */
  readonly contentType: string;
}

/** No reply: the address does not exist, nobody listens there, or the connection broke. `cause` has the reason. */
export class ConnectionError extends EnterpriseAccessError<'connection', null> {}

/** No complete reply within `timeoutMs`. Whether a mutation happened is not known: repeat it with its key. */
export class TimeoutError extends EnterpriseAccessError<'timeout', TimeoutErrorDetails> {}

/** How long was waited. */
export interface TimeoutErrorDetails {
  /** Limit of one attempt, in milliseconds. */
  readonly timeoutMs: number;
}

/** The caller's signal ended the call; `cause` is the signal's reason. */
export class AbortedError extends EnterpriseAccessError<'aborted', null> {}

/** The reply says success and is not what the service answers: HTML, nothing at all, or half of a body. */
export class UnreadableReplyError extends EnterpriseAccessError<'unreadable_reply', HttpErrorDetails> {}

/** `token` or another function of the options failed, or the input cannot be sent; `cause` has the reason. */
export class RequestError extends EnterpriseAccessError<'request', null> {}

/** A class for a code, as the table of declared errors holds it. */
export type ErrorClass = new (failure: Failure) => EnterpriseAccessError;

/** Messages by field, in the shape of the input; `non_field_errors` holds those of the whole. */
export interface FieldErrors {
  /** Sentences about a field, or about the fields inside it. */
  readonly [field: string]: readonly string[] | FieldErrors;
}

/** There is nothing more to say. */
export type NoDetails = Readonly<Record<string, never>>;
