import { type DomainError, idempotencyKeyInUse, throttled } from '@enterprise-access/domain';

/** Seconds after which the same request can succeed, for `Retry-After`; null when a repeat is of no use. */
export function retryAfterSeconds({ spec, details }: DomainError): number | null {
  if (spec.code === throttled.code) return (details as { retryAfterSeconds: number }).retryAfterSeconds;
  return spec.status === 503 || spec.code === idempotencyKeyInUse.code ? 1 : null;
}
