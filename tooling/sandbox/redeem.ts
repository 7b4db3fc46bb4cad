import { createHash } from 'node:crypto';
import type { Found } from './content.ts';
import { contentId, findForCustomer } from './content.ts';
import { enrol } from './enrol.ts';
import { Refusal } from './http.ts';
import { stableUuid } from './ids.ts';
import type { Transaction } from './ledger.ts';
import { BalanceExceeded, commit, createTransaction, fail, isActiveRedemption, redemptionsOf } from './ledger.ts';
import type { SandboxState } from './state.ts';
import type { Subsidy } from './subsidies.ts';
import { isActive, remember } from './subsidies.ts';

export interface Redemption {
  lmsUserId: number;
  contentKey: string;
  policyUuid: string;
  metadata: Record<string, unknown> | null;
  idempotencyKey: string | undefined;
  requestedPriceCents: number | undefined;
}

const unprocessable = (code: string, detail: string) => new Refusal(422, { detail, code });

const noTransaction = () =>
  unprocessable('transaction_creation_error', 'Transaction was None after attempting to redeem');

const EXEC_ED_FIELDS = [
  'geag_first_name',
  'geag_last_name',
  'geag_email',
  'geag_date_of_birth',
  'geag_terms_accepted_at',
  // Every sandbox customer asks for consent to data sharing.
  'geag_data_share_consent',
];

/** The key of a caller who brought none. A failed or reversed attempt changes it, as a retry is then a new purchase. */
function fallbackKey(subsidy: Subsidy, wanted: Redemption, history: readonly Transaction[]): string {
  const over = history.filter((row) => row.state === 'failed' || row.reversal !== null).map((row) => row.uuid);
  const text = JSON.stringify([wanted.lmsUserId, wanted.contentKey, wanted.policyUuid, over]);
  return `${subsidy.ledger.key}-${createHash('md5').update(text).digest('hex')}`;
}

/** 80 to 120 per cent of the canonical price, in whole numbers so that the bounds are exact. */
const isAcceptable = (price: number, canonical: number) => price * 5 >= canonical * 4 && price * 5 <= canonical * 6;

function priceOf(wanted: Redemption, canonical: number): number {
  const price = wanted.requestedPriceCents ?? canonical;
  if (isAcceptable(price, canonical)) return price;
  const text = `Requested price ${price} outside of acceptable interval on canonical course price of ${canonical}.`;
  throw unprocessable('invalid_requested_price', `['${text}']`);
}

/** The first answer to this key, again; a failed redemption was answered with its reason, not with a row. */
function replay(state: SandboxState, row: Transaction, wanted: Redemption): Transaction {
  const same =
    row.lmsUserId === wanted.lmsUserId &&
    row.contentKey === contentId(wanted.contentKey) &&
    row.policyUuid === wanted.policyUuid;
  if (!same) {
    const detail = 'The idempotency_key belongs to a transaction with other fields.';
    throw unprocessable('transaction_creation_error', detail);
  }
  const failure = state.subsidies.failures.get(row.uuid);
  if (failure) throw unprocessable(failure.code, failure.detail);
  return row;
}

/** Hands the learner over to the LMS, and before that to the external provider where one teaches. */
function fulfil(state: SandboxState, transaction: Transaction, found: Found, wanted: Redemption): string {
  if (found.course.productSource === '2u') {
    const missing = EXEC_ED_FIELDS.filter((field) => !wanted.metadata?.[field]);
    if (missing.length > 0) throw unprocessable('fulfillment_error', `Missing metadata: ${missing.join(', ')}`);
    transaction.externalReferences = [stableUuid(`order:${transaction.uuid}`)];
  }
  const item = { userId: wanted.lmsUserId, runKey: found.run.key, transactionId: transaction.uuid };
  const outcome = enrol(state.lms, item);
  if (outcome.kind === 'success') return outcome.enrolment.fulfilmentUuid;
  // A learner whose enrolment only waits has no fulfilment id either, which the service cannot commit.
  throw unprocessable('enrollment_error', `Enrollment of learner ${wanted.lmsUserId} failed: ${outcome.kind}`);
}

/** Spends once per learner and content, whoever asks and however often (R-LED-14). */
export function redeem(
  state: SandboxState,
  subsidy: Subsidy,
  wanted: Redemption,
): { transaction: Transaction; created: boolean } {
  const { ledger } = subsidy;
  const now = state.now();
  // Before any check: a caller that lost our answer must get it, even if the subsidy has ended or is empty by now.
  const known = wanted.idempotencyKey === undefined ? undefined : ledger.byKey.get(wanted.idempotencyKey);
  if (known) return { transaction: replay(state, known, wanted), created: false };

  if (!isActive(subsidy, now)) {
    throw unprocessable('inactive_subsidy_creation_error', 'Cannot create a transaction in an inactive subsidy');
  }
  const found = findForCustomer(state.content, subsidy.customerUuid, wanted.contentKey);
  if (!found) {
    throw unprocessable('content_not_found', 'The given content_key is not in any catalog for this customer.');
  }
  const history = redemptionsOf(ledger, wanted.lmsUserId, found.run.key);
  const active = history.find(isActiveRedemption);
  if (active) return { transaction: active, created: false };

  const transaction = insert(state, subsidy, found, {
    ...wanted,
    contentKey: contentId(wanted.contentKey),
    idempotencyKey: wanted.idempotencyKey ?? fallbackKey(subsidy, wanted, history),
  });
  try {
    const fulfilmentUuid = fulfil(state, transaction, found, wanted);
    return { transaction: commit(ledger, transaction, now, fulfilmentUuid), created: true };
  } catch (error) {
    fail(ledger, transaction, now);
    if (error instanceof Refusal) {
      state.subsidies.failures.set(transaction.uuid, error.body as { code: string; detail: string });
    }
    throw error;
  }
}

function insert(
  state: SandboxState,
  subsidy: Subsidy,
  found: Found,
  wanted: Redemption & { idempotencyKey: string },
): Transaction {
  const price = priceOf(wanted, found.run.priceCents);
  const row = {
    idempotencyKey: wanted.idempotencyKey,
    quantity: 0 - price,
    kind: 'spend' as const,
    metadata: wanted.metadata,
    lmsUserId: wanted.lmsUserId,
    lmsUserEmail: state.lms.accounts.get(wanted.lmsUserId)?.email ?? null,
    contentKey: wanted.contentKey,
    runKey: found.run.key,
    parentContentKey: found.isRun ? found.course.key : null,
    contentTitle: found.course.title,
    courseRunStartDate: found.run.startDate,
    policyUuid: wanted.policyUuid,
  };
  try {
    return remember(state.subsidies, subsidy, createTransaction(subsidy.ledger, row, state.now()));
  } catch (error) {
    if (error instanceof BalanceExceeded) throw noTransaction();
    throw error;
  }
}
