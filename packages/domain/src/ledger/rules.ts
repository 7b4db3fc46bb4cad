/** Bounds of a requested price in percent of the canonical price (R-LED-14). */
const LOWEST_PERCENT = 80;
const HIGHEST_PERCENT = 120;

/** Whether a caller may ask for this price. In integers, so that binary fractions never decide about a cent. */
export const isAcceptablePrice = (requestedCents: number, canonicalCents: number): boolean =>
  requestedCents * 100 >= canonicalCents * LOWEST_PERCENT && requestedCents * 100 <= canonicalCents * HIGHEST_PERCENT;

/** What a redemption costs; null when the requested price is out of bounds. None requested, or zero, is canonical. */
export function priceToCharge(canonicalCents: number, requestedCents: number | null | undefined): number | null {
  if (!requestedCents) return canonicalCents;
  return isAcceptablePrice(requestedCents, canonicalCents) ? requestedCents : null;
}

/** The sentence is a wire fact: a list rendered as text. */
export const priceMessage = (requestedCents: number, canonicalCents: number): string =>
  `['Requested price ${requestedCents} outside of acceptable interval on canonical course price of ${canonicalCents}.']`;

/** Keys of what is made once (R-LED-08). */
export const ledgerKey = (subsidyUuid: string): string => `ledger-for-subsidy-${subsidyUuid}`;
export const initialDepositKey = (subsidyUuid: string, cents: number): string =>
  `${ledgerKey(subsidyUuid)}-${cents}-initial-deposit`;
export const depositKey = (ledgerUuid: string, cents: number, reference: string): string =>
  `${ledgerUuid}-deposit-${cents}-sales-contract-${reference}`;
export const reversalKey = (transactionUuid: string): string => `admin-invoked-reverse-${transactionUuid}`;

/** A window that is never open is a mistake; an end that is the start is one instant. */
export const isWindow = (active: Date | null, expiration: Date | null): boolean =>
  active === null || expiration === null || active <= expiration;

/** A deposit may come before the start of a subsidy, but not after its end. */
export const isExpired = (expiration: Date | null, now: Date): boolean => expiration !== null && expiration < now;

/** Whether a learner could redeem now (R-LED-16); whether the subsidy is open is reported beside it. */
export const isAffordable = (facts: {
  readonly hasStandingRedemption: boolean;
  readonly balanceCents: number;
  readonly priceCents: number | null;
}): boolean => !facts.hasStandingRedemption && facts.priceCents !== null && facts.balanceCents >= facts.priceCents;

/** `-created` is created, descending. */
export const orderOf = (text: string): { readonly field: string; readonly direction: 'asc' | 'desc' } =>
  text.startsWith('-') ? { field: text.slice(1), direction: 'desc' } : { field: text, direction: 'asc' };

/** A pattern for `like … escape '!'` that finds the text itself anywhere, in lower case. */
export const containing = (text: string): string => `%${text.toLowerCase().replace(/[!%_]/g, '!$&')}%`;

/** What the provider of executive education wants to know of a learner, in the metadata of the transaction. */
const EXECUTIVE_FIELDS = [
  'geag_first_name',
  'geag_last_name',
  'geag_email',
  'geag_date_of_birth',
  'geag_terms_accepted_at',
  'geag_data_share_consent',
];

/**
 * Why our own ledger cannot fulfil a spend; null when it can. It enrols in the LMS only: content that an external
 * provider teaches would be charged and never ordered.
 */
export function fulfillmentProblem(
  source: 'edX' | '2u',
  metadata: Readonly<Record<string, unknown>> | null | undefined,
): string | null {
  if (source !== '2u') return null;
  const missing = EXECUTIVE_FIELDS.filter((field) => !metadata?.[field]);
  return missing.length > 0
    ? `Missing metadata: ${missing.join(', ')}`
    : 'Missing metadata: the provider of this content is not connected to this ledger.';
}
