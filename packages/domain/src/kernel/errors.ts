import { z } from 'zod';

/** A declared failure: what a caller can rely on, in documents, types and tests. */
export interface ErrorSpec<C extends string = string, D extends z.ZodType = z.ZodType> {
  /** Stable machine name. */
  readonly code: C;
  /** HTTP status over both transports. */
  readonly status: number;
  /** Public message; never contains personal data or internals. */
  readonly message: string;
  readonly details: D;
}

/** A failure that the caller can act on. The message is public; details for operators are in `cause`. */
export class DomainError<C extends string = string, D = unknown> extends Error {
  override readonly name = 'DomainError';
  readonly spec: ErrorSpec<C>;
  readonly details: D;
  constructor(spec: ErrorSpec<C>, details: D, options?: ErrorOptions & { message?: string }) {
    super(options?.message ?? spec.message, options);
    this.spec = spec;
    this.details = details;
  }
}

/** Declares an error: the same value is thrown, documented, typed for clients and matched in tests. */
export const defineError = <const C extends string, D extends z.ZodType>(spec: ErrorSpec<C, D>) =>
  Object.assign(
    (details: z.infer<D>, options?: ErrorOptions & { message?: string }) =>
      new DomainError<C, z.infer<D>>(spec, details, options),
    spec,
  );

const none = z.object({});

export const notAuthenticated = defineError({
  code: 'not_authenticated',
  status: 401,
  message: 'Authentication credentials were not provided.',
  details: none,
});

export const invalidToken = defineError({
  code: 'invalid_token',
  status: 401,
  message: 'Invalid token.',
  details: none,
});

export const permissionDenied = defineError({
  code: 'permission_denied',
  status: 403,
  message: 'You do not have permission to perform this action.',
  details: z.object({ permission: z.string().describe('The permission that the caller lacks in this context.') }),
});

/** Messages by field, in the structure of the input; `non_field_errors` has those of the whole input. */
export interface FieldErrors {
  readonly [field: string]: readonly string[] | FieldErrors;
}

export const invalidInput = defineError({
  code: 'invalid_input',
  status: 400,
  message: 'The input is not valid.',
  details: z.object({ fields: z.custom<FieldErrors>().describe('Messages by field.') }),
});

export const notFound = defineError({
  code: 'not_found',
  status: 404,
  message: 'Not found.',
  details: none,
});

export const throttled = defineError({
  code: 'throttled',
  status: 429,
  message: 'Request was throttled.',
  details: z.object({ retryAfterSeconds: z.int().min(0).describe('Seconds after which a retry can succeed.') }),
});

export const upstreamUnavailable = defineError({
  code: 'upstream_unavailable',
  status: 503,
  message: 'A service that this operation depends on did not answer. Nothing was changed; it is safe to retry.',
  details: z.object({ service: z.string().describe('Name of the service.') }),
});

export const databaseUnavailable = defineError({
  code: 'database_unavailable',
  status: 503,
  message: 'The database is unavailable or overloaded. It is safe to retry with the same Idempotency-Key.',
  details: z.object({ retryAfterSeconds: z.int().min(0).describe('Seconds after which a retry can succeed.') }),
});

export const idempotencyKeyReused = defineError({
  code: 'idempotency_key_reused',
  status: 422,
  message: 'This Idempotency-Key was used with another request body.',
  details: none,
});

export const idempotencyKeyInUse = defineError({
  code: 'idempotency_key_in_use',
  status: 409,
  message: 'A request with this Idempotency-Key is still being processed.',
  details: none,
});

/** Errors that every operation can return, in addition to those of its contract. */
export const commonErrors: readonly ErrorSpec[] = [
  notAuthenticated,
  invalidToken,
  permissionDenied,
  invalidInput,
  notFound,
  throttled,
  upstreamUnavailable,
  databaseUnavailable,
  idempotencyKeyReused,
  idempotencyKeyInUse,
];
