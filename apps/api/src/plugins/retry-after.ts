import { type DomainError, idempotencyKeyInUse, throttled } from '@enterprise-access/domain';

/** Value of `Retry-After` in seconds; null if a retry cannot succeed. */
export function retryAfterSeconds({ spec, details }: DomainError): number | null {
  if (spec.code === throttled.code) return (details as { retryAfterSeconds: number }).retryAfterSeconds;
  return spec.status === 503 || spec.code === idempotencyKeyInUse.code ? 1 : null;
}
