import { z } from 'zod';
import { type DepositRequest, LedgerRefusal } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';
import { type Books, fromBooks, mayBeUnknown, SERVICE } from './subsidy-books.ts';
import { detailOf, knownCode } from './subsidy-refusals.ts';
import { codeOf } from './subsidy-replies.ts';

const anything = z.unknown();

const PROVIDER = 'salesforce_opportunity_line_item';

const create = (call: Upstream, request: DepositRequest) =>
  call({
    method: 'POST',
    path: path`/api/v2/subsidies/${request.subsidyUuid}/admin/deposits/`,
    repeatable: true,
    body: {
      desired_deposit_quantity: request.quantityCents,
      sales_contract_reference_id: request.salesContractReferenceId,
      sales_contract_reference_provider: PROVIDER,
      idempotency_key: request.idempotencyKey,
    },
    reply: anything,
  });

/** Deposits in the remote ledger, once per key. */
export async function makeDeposit(call: Upstream, books: Books, request: DepositRequest): Promise<void> {
  const { subsidyUuid, idempotencyKey } = request;
  try {
    await create(call, request);
  } catch (error) {
    if (!(error instanceof UpstreamRefusal)) throw error;
    if (mayBeUnknown(error) && (await fromBooks(books.find(subsidyUuid))) === null) {
      throw new LedgerRefusal('subsidy_not_found', 'The subsidy does not exist.');
    }
    // Some versions of the service refuse a known key; then the deposit was made.
    if (await fromBooks(books.hasDeposit(subsidyUuid, idempotencyKey))) return;
    const code = knownCode(codeOf(error.body), 'deposit_creation_error');
    // A 403 does not tell whether the deposit was made, and a busy ledger also answers "not created".
    const isBusy = error.status === 422 && code === 'deposit_creation_error';
    if (error.status === 403 || isBusy) {
      throw new UpstreamFailure(SERVICE, 'did not make the deposit', { cause: error });
    }
    throw new LedgerRefusal(code, detailOf(error.body, code), error.status);
  }
}
