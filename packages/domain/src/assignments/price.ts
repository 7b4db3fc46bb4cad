import { isAcceptablePrice } from './rules.ts';

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

/** What decides whether a policy allocates at all (R-ASG-02). */
export interface SupportFacts {
  readonly policyType: string;
  readonly takesRequests: boolean;
  readonly hasConfiguration: boolean;
}

/** Types with a configuration in use. */
export const allocates = ({ policyType, takesRequests, hasConfiguration }: SupportFacts): boolean =>
  hasConfiguration && (policyType === 'AssignedLearnerCreditAccessPolicy' || takesRequests);

export type Refusal =
  | { readonly kind: 'reason'; readonly reason: string }
  | { readonly kind: 'price'; readonly message: string };

/** One check of an allocation. */
export interface AllocationCheck {
  readonly name: string;
  /** Number under `docs/rules`. */
  readonly rule: string;
  readonly refuses: (facts: AllocationFacts) => Refusal | null;
  /** What the check looked at, for the people who must explain its verdict. */
  readonly inputs: (facts: AllocationFacts) => Readonly<Record<string, unknown>>;
}

const reasonUnless = (reason: string, holds: boolean): Refusal | null => (holds ? null : { kind: 'reason', reason });

// The order is part of the API (R-ASG-03); checks 5 and 6 are the budget's own.
export const allocationChecks: readonly AllocationCheck[] = [
  {
    name: 'price_negative',
    rule: 'R-POL-14',
    refuses: ({ requestedCents }) =>
      requestedCents < 0 ? { kind: 'price', message: 'Can only allocate non-negative content_price_cents' } : null,
    inputs: ({ requestedCents }) => ({ requestedCents }),
  },
  {
    // A price is only unknown of content that there is.
    name: 'price_unknown',
    rule: 'R-POL-20',
    refuses: ({ canonicalCents, inCatalog, contentKey }) =>
      canonicalCents === null && inCatalog
        ? { kind: 'price', message: `Could not determine price for content_key: ${contentKey}` }
        : null,
    inputs: ({ canonicalCents, inCatalog }) => ({ canonicalCents, inCatalog }),
  },
  {
    name: 'price_out_of_bounds',
    rule: 'R-POL-14',
    refuses: ({ requestedCents, canonicalCents, contentKey, lowerRatio, upperRatio }) =>
      canonicalCents !== null && !isAcceptablePrice(requestedCents, canonicalCents, lowerRatio, upperRatio)
        ? {
            kind: 'price',
            message: `Requested price ${requestedCents} for ${contentKey} outside of acceptable interval on canonical course price of ${canonicalCents}.`,
          }
        : null,
    inputs: ({ requestedCents, canonicalCents, lowerRatio, upperRatio }) => ({
      requestedCents,
      canonicalCents,
      lowerRatio,
      upperRatio,
    }),
  },
  {
    name: 'policy_expired',
    rule: 'R-POL-15',
    refuses: ({ policy }) => reasonUnless('policy_expired', policy.active && !policy.retired),
    inputs: ({ policy: { active, retired } }) => ({ active, retired }),
  },
  {
    name: 'content_not_in_catalog',
    rule: 'R-POL-15',
    refuses: ({ inCatalog }) => reasonUnless('content_not_in_catalog', inCatalog),
    inputs: ({ inCatalog }) => ({ inCatalog }),
  },
  {
    name: 'subsidy_expired',
    rule: 'R-POL-15',
    refuses: (facts) => reasonUnless('subsidy_expired', facts.isSubsidyActive),
    inputs: ({ isSubsidyActive }) => ({ isSubsidyActive }),
  },
];

/** The first check that fails, or null. */
export function allocationRefusal(facts: AllocationFacts): Refusal | null {
  for (const { refuses } of allocationChecks) {
    const refusal = refuses(facts);
    if (refusal) return refusal;
  }
  return null;
}
