import { procedure, router } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import { createDeposit } from './deposits.ts';
import * as service from './service.ts';
import { createTransaction } from './spend.ts';

export const ledger = router({
  /** Subsidies of a customer with their balances. */
  listSubsidies: procedure(contract.listSubsidies).query(({ ctx, input }) => service.listSubsidies(ctx.runtime, input)),
  /** One subsidy with its balance. */
  getSubsidy: procedure(contract.getSubsidy).query(({ ctx, input }) => service.getSubsidy(ctx.runtime, input.uuid)),
  /** Whether a learner could redeem a content from this subsidy. */
  canRedeem: procedure(contract.canRedeem).query(({ ctx, input }) => service.checkAffordability(ctx.runtime, input)),
  /** Number of standing enrollments per learner. */
  aggregatesByLearner: procedure(contract.aggregatesByLearner).query(({ ctx, input }) =>
    service.aggregatesByLearner(ctx.runtime, input),
  ),
  /** What a course or run is and costs. */
  contentMetadata: procedure(contract.contentMetadata).query(({ ctx, input }) =>
    service.contentMetadata(ctx.runtime, input),
  ),
  /** Create a subsidy, or find the public one with the same reference. */
  createSubsidy: procedure(contract.createSubsidy).mutation(({ ctx, input }) =>
    service.createSubsidy(ctx.runtime, ctx.actor, input),
  ),
  /** Change fields of a subsidy; what is not named stays. */
  updateSubsidy: procedure(contract.updateSubsidy).mutation(({ ctx, input }) =>
    service.updateSubsidy(ctx.runtime, input),
  ),
  /** Hide a subsidy from everybody. */
  deleteSubsidy: procedure(contract.deleteSubsidy).mutation(({ ctx, input }) =>
    service.deleteSubsidy(ctx.runtime, input.uuid),
  ),
  /** Transactions of a subsidy. */
  listTransactions: procedure(contract.listTransactions).query(({ ctx, input }) =>
    service.listTransactions(ctx.runtime, input),
  ),
  /** Transactions of a subsidy, first version. */
  listTransactionsV1: procedure(contract.listTransactionsV1).query(({ ctx, input: { subsidyUuid, ...input } }) =>
    service.listTransactions(ctx.runtime, { ...input, uuid: subsidyUuid, includeAggregates: false }),
  ),
  /** Spend from a subsidy, first version. */
  createTransactionV1: procedure(contract.createTransactionV1).mutation(({ ctx, input: { subsidyUuid, ...input } }) =>
    createTransaction(ctx.runtime, { ...input, uuid: subsidyUuid, requestedPriceCents: null }),
  ),
  /** Spend from a subsidy on one course run for one learner. */
  createTransaction: procedure(contract.createTransaction).mutation(({ ctx, input }) =>
    createTransaction(ctx.runtime, input),
  ),
  /** Add value to a subsidy. */
  createDeposit: procedure(contract.createDeposit).mutation(({ ctx, input }) =>
    createDeposit(ctx.runtime, ctx.actor, input, ctx.idempotencyKey),
  ),
  /** The caller’s own transactions in a subsidy. */
  ownTransactions: procedure(contract.ownTransactions).query(({ ctx, input }) =>
    service.ownTransactions(ctx.runtime, ctx.actor, input),
  ),
  /** One transaction. */
  getTransaction: procedure(contract.getTransaction).query(({ ctx, input }) =>
    service.getTransaction(ctx.runtime, ctx.actor, ctx.customer, input.uuid),
  ),
  /** Give the value of a committed redemption back, once. */
  reverse: procedure(contract.reverse).mutation(({ ctx, input }) => service.reverse(ctx.runtime, input)),
});
