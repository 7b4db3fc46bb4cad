import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import type { Settings } from '../kernel/settings.ts';
import type { TransactionView } from './contract.ts';
import { givenKey } from './rules.ts';

type Urls = Pick<Settings, 'subsidyUrl' | 'lmsUrl' | 'learningUrl'>;

export function viewOfTransaction(transaction: LedgerTransaction, urls: Urls): TransactionView {
  const { subsidyUuid: _subsidy, quantityCents, reversal, externalReferences, coursewareUrl, ...same } = transaction;
  return {
    ...same,
    idempotencyKey: givenKey(transaction.idempotencyKey),
    metadata: transaction.metadata && { ...transaction.metadata },
    quantity: quantityCents,
    unit: 'usd_cents',
    reversal: reversal && {
      uuid: reversal.uuid,
      state: reversal.state,
      idempotencyKey: reversal.idempotencyKey,
      quantity: reversal.quantityCents,
      metadata: reversal.metadata && { ...reversal.metadata },
      created: reversal.created,
      modified: reversal.modified,
    },
    externalReference: [...(externalReferences ?? [])],
    transactionStatusApiUrl: `${urls.subsidyUrl}/api/v1/transactions/${transaction.uuid}/`,
    coursewareUrl: coursewareUrl === undefined ? coursewareOf(transaction, urls) : coursewareUrl,
  };
}

/**
 * URL of the course in the learning front end, as enterprise-subsidy builds it; without a front end, the LMS
 * redirects to it.
 */
function coursewareOf({ contentKey }: LedgerTransaction, { learningUrl, lmsUrl }: Urls): string | null {
  if (contentKey === null) return null;
  return learningUrl === null ? lmsCourseware(contentKey, lmsUrl) : `${learningUrl}/course/${contentKey}/home`;
}

export const lmsCourseware = (contentKey: string, lmsUrl: string): string =>
  `${lmsUrl}/courses/${contentKey}/courseware/`;
