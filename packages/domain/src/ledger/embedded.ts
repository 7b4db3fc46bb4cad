import { type Connection, storeRecorded } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import {
  type DepositRequest,
  type Ledger,
  LedgerRefusal,
  type LedgerTransaction,
  type Settlement,
  type Spend,
} from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { addDeposit, depositEntry, findDeposit } from './deposits.ts';
import { debit, debitReserved, endTransaction, insertTransaction, releaseBalance, reserveBalance } from './entries.ts';
import { isExpired } from './rules.ts';
import {
  enrollmentCounts,
  findSubsidies,
  type LedgerKey,
  ledgerOf,
  readTransactions,
  selectTransactions,
  spentThrough,
} from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms'>;

/** The pending transaction of a spend: value is deducted, the learner is not enrolled yet. */
const inFlight = (spend: Spend): LedgerTransaction => ({
  uuid: spend.uuid,
  state: 'pending',
  idempotencyKey: spend.idempotencyKey,
  subsidyUuid: spend.subsidyUuid,
  lmsUserId: spend.lmsUserId,
  lmsUserEmail: spend.content.lmsUserEmail,
  contentKey: spend.contentKey,
  parentContentKey: spend.content.parentContentKey,
  contentTitle: spend.content.title,
  courseRunStartDate: spend.content.courseRunStartDate === null ? null : new Date(spend.content.courseRunStartDate),
  quantityCents: -spend.priceCents,
  fulfillmentIdentifier: null,
  subsidyAccessPolicyUuid: spend.policyUuid,
  metadata: spend.metadata,
  created: spend.created,
  modified: spend.created,
  reversal: null,
});

/**
 * The embedded ledger, in our own database. Value is moved in the transactions of the redemption; the enrollment
 * (fulfillment) happens between the two transactions of a spend.
 */
export function embeddedLedger(deps: Deps): Ledger {
  const { db, clock, lms } = deps;
  // A subsidy never changes its ledger, nor its customer.
  const ledgers = new Map<string, LedgerKey>();
  // Inside a transaction, look up on its connection: waiting for a second one could exhaust the pool.
  const keyOf = async (connection: Connection, subsidyUuid: string): Promise<LedgerKey> => {
    const known = ledgers.get(subsidyUuid) ?? (await ledgerOf(connection, subsidyUuid));
    if (known === null) throw new LedgerRefusal('subsidy_not_found', 'The subsidy does not exist.');
    ledgers.set(subsidyUuid, known);
    return known;
  };

  const isDeposited = async (ledgerUuid: string, request: DepositRequest): Promise<boolean> => {
    const found = await findDeposit(db, ledgerUuid, [request.idempotencyKey]);
    if (found === null) return false;
    if (found !== 'other' && found.desiredDepositQuantity === request.quantityCents) return true;
    throw new LedgerRefusal('deposit_creation_error', 'The key of the deposit belongs to another transaction.');
  };

  return {
    isOurs: true,

    subsidies: (uuids) => findSubsidies(db, uuids),

    transactions: ({ subsidyUuids, lmsUserId, contentKeys }) =>
      readTransactions(
        selectTransactions(db)
          .whereIn('s.uuid', subsidyUuids)
          .where('t.lms_user_id', lmsUserId)
          .whereIn('t.content_key', contentKeys)
          .orderBy(['t.created', 't.uuid']),
      ),

    async hold(trx, spend) {
      const ledger = await keyOf(trx, spend.subsidyUuid);
      await insertTransaction(trx, ledger, inFlight(spend));
      // Everything that only adds rows comes first: many callers wait for the ledger and for the policy.
      await storeRecorded(trx);
      const spendFrom = spend.assignmentUuid === null ? debit : debitReserved;
      return (await spendFrom(trx, ledger.ledgerUuid, spend.priceCents)) ? null : 'insufficient';
    },

    async reserve(trx, { uuid }, cents) {
      await storeRecorded(trx);
      return (await reserveBalance(trx, (await keyOf(trx, uuid)).ledgerUuid, cents)) ? null : 'insufficient';
    },

    release: async (trx, subsidyUuid, cents) => {
      await releaseBalance(trx, (await keyOf(trx, subsidyUuid)).ledgerUuid, cents);
    },

    async settle(spend): Promise<Settlement> {
      try {
        const fulfillmentIdentifier = await lms.enroll(spend.enterpriseCustomerUuid, {
          lmsUserId: spend.lmsUserId,
          courseRunKey: spend.contentKey,
          transactionUuid: spend.uuid,
          force: spend.metadata?.allow_late_enrollment === true,
        });
        return { outcome: 'committed', transactionUuid: spend.uuid, fulfillmentIdentifier };
      } catch (error) {
        if (!(error instanceof UpstreamRefusal)) throw error;
        // A 403 does not tell whether an earlier attempt has enrolled the learner, so the result is unknown.
        if (error.status === 403) throw new UpstreamFailure('lms', 'does not let us enrol', { cause: error });
        return {
          outcome: 'refused',
          code: 'enrollment_error',
          detail: 'The learner could not be enrolled.',
          status: error.status,
        };
      }
    },

    async record(trx, spend, settlement, now) {
      const fulfillmentIdentifier = settlement.outcome === 'committed' ? settlement.fulfillmentIdentifier : null;
      const state = settlement.outcome === 'committed' ? 'committed' : 'failed';
      const end = { state, fulfillmentIdentifier, at: now } as const;
      return endTransaction(trx, await keyOf(trx, spend.subsidyUuid), inFlight(spend), end);
    },

    async deposit(request) {
      const ledger = await keyOf(db, request.subsidyUuid);
      const { ledgerUuid } = ledger;
      const now = clock();
      const { quantityCents } = request;
      // A repeat succeeds even if the subsidy has ended meanwhile.
      if (await isDeposited(ledgerUuid, request)) return;
      const subsidy = (await findSubsidies(db, [request.subsidyUuid])).get(request.subsidyUuid);
      if (!subsidy) throw new LedgerRefusal('subsidy_not_found', 'The subsidy does not exist.');
      if (isExpired(subsidy.expirationDatetime, now))
        throw new LedgerRefusal('deposit_on_expired_subsidy', 'Cannot create a deposit in an expired subsidy');
      const entry = {
        uuid: newUuid(),
        ledger,
        transaction: depositEntry(newUuid(), request, now),
        salesContractReferenceId: request.salesContractReferenceId,
        providerSlug: 'salesforce_opportunity_line_item',
      };
      if (await addDeposit(db, entry)) return;
      if (!(await isDeposited(ledgerUuid, request)))
        throw new UpstreamFailure('ledger', `did not make the deposit of ${quantityCents} cents: its key was taken`);
    },

    enrollmentCounts: (subsidyUuid, policyUuid) => enrollmentCounts(db, subsidyUuid, policyUuid),

    spentCents: (subsidyUuid, policyUuid) => spentThrough(db, subsidyUuid, policyUuid),
  };
}
