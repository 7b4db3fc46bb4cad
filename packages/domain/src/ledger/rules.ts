/** Bounds of a requested price in percent of the canonical price (R-LED-14). */
const LOWEST_PERCENT = 80;
const HIGHEST_PERCENT = 120;

/** Whether a requested price is within bounds. Integer arithmetic avoids rounding errors. */
export const isAcceptablePrice = (requestedCents: number, canonicalCents: number): boolean =>
  requestedCents * 100 >= canonicalCents * LOWEST_PERCENT && requestedCents * 100 <= canonicalCents * HIGHEST_PERCENT;

/**
 * The price to charge; null if the requested price is out of bounds. Without a requested price, or with zero, the
 * canonical price.
 */
export function priceToCharge(canonicalCents: number, requestedCents: number | null | undefined): number | null {
  if (!requestedCents) return canonicalCents;
  return isAcceptablePrice(requestedCents, canonicalCents) ? requestedCents : null;
}

/** This message is part of the wire format: a list rendered as text. */
export const priceMessage = (requestedCents: number, canonicalCents: number): string =>
  `['Requested price ${requestedCents} outside of acceptable interval on canonical course price of ${canonicalCents}.']`;

/** Idempotency keys (R-LED-08). */
export const ledgerKey = (subsidyUuid: string): string => `ledger-for-subsidy-${subsidyUuid}`;
export const initialDepositKey = (subsidyUuid: string, cents: number): string =>
  `${ledgerKey(subsidyUuid)}-${cents}-initial-deposit`;
export const depositKey = (ledgerUuid: string, cents: number, reference: string): string =>
  `${ledgerUuid}-deposit-${cents}-sales-contract-${reference}`;
export const reversalKey = (transactionUuid: string): string => `admin-invoked-reverse-${transactionUuid}`;

const OF_CALLER = 'caller:';

/** Maximum length of a caller's key: 255 characters minus the prefix. */
export const LONGEST_CALLER_KEY = 255 - OF_CALLER.length;

/**
 * The stored form of a caller's key. Derived keys never have this prefix, so a caller cannot occupy the predictable
 * key of another learner's redemption.
 */
export const callerKey = (key: string): string => OF_CALLER + key;

/** Possible stored forms of a caller's key: old rows have no prefix. */
export const storedKeysOf = (key: string): readonly string[] => [callerKey(key), key];

/** The key without its prefix, as the caller gave it. */
export const givenKey = (stored: string): string =>
  stored.startsWith(OF_CALLER) ? stored.slice(OF_CALLER.length) : stored;

/** Whether the end is not before the start. */
export const isWindow = (active: Date | null, expiration: Date | null): boolean =>
  active === null || expiration === null || active <= expiration;

/** Whether the subsidy has ended. Deposits are allowed before its start, but not after its end. */
export const isExpired = (expiration: Date | null, now: Date): boolean => expiration !== null && expiration < now;

/** Whether a learner could redeem now (R-LED-16); whether the subsidy is active is reported separately. */
export const isAffordable = (facts: {
  readonly hasStandingRedemption: boolean;
  readonly balanceCents: number;
  readonly priceCents: number | null;
}): boolean => !facts.hasStandingRedemption && facts.priceCents !== null && facts.balanceCents >= facts.priceCents;

/** Pattern for `like … escape '!'` that matches the literal text anywhere, in lower case. */
export const containing = (text: string): string => `%${text.normalize('NFC').toLowerCase().replace(/[!%_]/g, '!$&')}%`;

/** Metadata fields that the provider of executive education requires. */
const EXECUTIVE_FIELDS = [
  'geag_first_name',
  'geag_last_name',
  'geag_email',
  'geag_date_of_birth',
  'geag_terms_accepted_at',
  'geag_data_share_consent',
];

/**
 * Why the embedded ledger cannot fulfill a spend; null if it can. It enrolls in the LMS only: content of an external
 * provider would be charged but never ordered.
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
