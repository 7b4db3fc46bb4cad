/** Facts about an allocation for the checks that do not depend on the budget. */
export interface AllocationFacts {
  readonly policy: { readonly active: boolean; readonly retired: boolean };
  readonly contentKey: string;
  readonly requestedCents: number;
  /** Null if the catalog has no price. */
  readonly canonicalCents: number | null;
  readonly inCatalog: boolean;
  readonly isSubsidyActive: boolean;
  readonly lowerRatio: number;
  readonly upperRatio: number;
}

export type Refusal =
  | { readonly kind: 'reason'; readonly reason: string }
  | { readonly kind: 'price'; readonly message: string };

/** R-POL-14, both ends inclusive. Ratios have two decimals, so they are compared as integer hundredths. */
export function isAcceptablePrice(
  requestedCents: number,
  canonicalCents: number,
  lower: number,
  upper: number,
): boolean {
  const [low, high] = [Math.round(lower * 100), Math.round(upper * 100)];
  const requested = requestedCents * 100;
  return requested >= low * canonicalCents && requested <= high * canonicalCents;
}

// The order is part of the API (R-ASG-03); checks 5 and 6 are made by the budget.
const checks: readonly ((facts: AllocationFacts) => Refusal | null)[] = [
  ({ requestedCents }) =>
    requestedCents < 0 ? { kind: 'price', message: 'Can only allocate non-negative content_price_cents' } : null,
  // Only content in the catalog can be refused for an unknown price.
  ({ canonicalCents, inCatalog, contentKey }) =>
    canonicalCents === null && inCatalog
      ? { kind: 'price', message: `Could not determine price for content_key: ${contentKey}` }
      : null,
  ({ requestedCents, canonicalCents, contentKey, lowerRatio, upperRatio }) =>
    canonicalCents !== null && !isAcceptablePrice(requestedCents, canonicalCents, lowerRatio, upperRatio)
      ? {
          kind: 'price',
          message: `Requested price ${requestedCents} for ${contentKey} outside of acceptable interval on canonical course price of ${canonicalCents}.`,
        }
      : null,
  ({ policy }) => (!policy.active || policy.retired ? { kind: 'reason', reason: 'policy_expired' } : null),
  ({ inCatalog }) => (inCatalog ? null : { kind: 'reason', reason: 'content_not_in_catalog' }),
  ({ isSubsidyActive }) => (isSubsidyActive ? null : { kind: 'reason', reason: 'subsidy_expired' }),
];

/** The first check that fails, or null. */
export function allocationRefusal(facts: AllocationFacts): Refusal | null {
  for (const check of checks) {
    const refusal = check(facts);
    if (refusal) return refusal;
  }
  return null;
}
