import type { DomainError } from '@enterprise-access/domain';

/** The stored decision behind a refusal, for `X-Decision-Id`; null without one. Bodies of REST have no place for it. */
export function decisionIdOf({ details }: DomainError): string | null {
  const uuid = (details as { decisionUuid?: unknown } | null)?.decisionUuid;
  return typeof uuid === 'string' ? uuid : null;
}
