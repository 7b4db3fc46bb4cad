import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import type { Settings } from '../kernel/settings.ts';
import type { TransactionView } from './contract.ts';
import { givenKey } from './rules.ts';

type Urls = Pick<Settings, 'subsidyUrl' | 'lmsUrl'>;

export function viewOfTransaction(transaction: LedgerTransaction, urls: Urls): TransactionView {
  const { subsidyUuid: _subsidy, quantityCents, reversal, externalReferences, ...same } = transaction;
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
    coursewareUrl: transaction.contentKey && `${urls.lmsUrl}/courses/${transaction.contentKey}/courseware/`,
  };
}
