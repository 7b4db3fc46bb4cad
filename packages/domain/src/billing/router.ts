import type { AuthorizedContext } from '../kernel/call.ts';
import { procedure, router } from '../kernel/rpc.ts';
import * as catalogue from './catalogue.ts';
import * as catalogueContract from './catalogue-contract.ts';
import * as checkout from './checkout.ts';
import * as contract from './contract.ts';
import * as eventContract from './event-contract.ts';
import * as events from './event-service.ts';
import * as intents from './intents.ts';
import * as management from './management.ts';
import * as managementContract from './management-contract.ts';
import * as summaries from './summaries.ts';

const callerOf = ({ requestId, origin }: AuthorizedContext): checkout.Caller => ({ requestId, origin: origin ?? null });

export const billing = router({
  /** The caller’s checkout intents, newest first. */
  listCheckoutIntents: procedure(contract.listCheckoutIntents).query(({ ctx: { runtime, actor }, input }) =>
    intents.list(runtime, actor.isStaff ? {} : { userId: actor.userId }, input),
  ),
  /** One of the caller’s checkout intents. */
  getCheckoutIntent: procedure(contract.getCheckoutIntent).query(({ ctx, input }) =>
    intents.get(ctx.runtime, ctx.actor, input),
  ),
  /** Reserve slug and name for a purchase. */
  createCheckoutIntent: procedure(contract.createCheckoutIntent).mutation(({ ctx, input }) =>
    intents.create(ctx.runtime, ctx.actor, input),
  ),
  /** Change state, country or terms of an intent. */
  updateCheckoutIntent: procedure(contract.updateCheckoutIntent).mutation(({ ctx, input }) =>
    intents.update(ctx.runtime, ctx.actor, input),
  ),
  /** Checkout intents of everybody, for operators. */
  findCheckoutIntents: procedure(contract.findCheckoutIntents).query(({ ctx, input }) =>
    intents.list(ctx.runtime, input, input),
  ),
  /** Begin a purchase at Stripe. */
  createCheckoutSession: procedure(contract.createCheckoutSession).mutation(({ ctx, input }) =>
    checkout.createSession(ctx.runtime, ctx.actor, input),
  ),
  /** Open Stripe’s portal for the administrators of a customer. */
  createEnterprisePortalSession: procedure(contract.createEnterprisePortalSession).query(({ ctx, input }) =>
    checkout.openEnterprisePortal(ctx.runtime, input, callerOf(ctx)),
  ),
  /** Open Stripe’s portal for the buyer of an intent. */
  createCheckoutPortalSession: procedure(contract.createCheckoutPortalSession).query(({ ctx, input }) =>
    checkout.openCheckoutPortal(ctx.runtime, ctx.actor, input, callerOf(ctx)),
  ),
  /** Essentials products that can be bought. */
  listSspProducts: procedure(catalogueContract.listSspProducts).query(({ ctx, input }) =>
    catalogue.listSspProducts(ctx.runtime, input),
  ),
  /** One Essentials product. */
  getSspProduct: procedure(catalogueContract.getSspProduct).query(({ ctx, input }) =>
    catalogue.getSspProduct(ctx.runtime, input),
  ),
  /** Academies that can be bought. */
  listAcademyProducts: procedure(catalogueContract.listAcademyProducts).query(({ ctx, input }) =>
    catalogue.listAcademyProducts(ctx.runtime, input),
  ),
  /** One academy. */
  getAcademyProduct: procedure(catalogueContract.getAcademyProduct).query(({ ctx, input }) =>
    catalogue.getAcademyProduct(ctx.runtime, input),
  ),
  /** What Stripe has told about the subscription behind a plan. */
  listStripeEventSummaries: procedure(eventContract.listStripeEventSummaries).query(({ ctx, input }) =>
    summaries.list(ctx.runtime, input),
  ),
  /** What the next invoice of a plan asks for. */
  getPlanInfo: procedure(eventContract.getPlanInfo).query(({ ctx, input }) => summaries.planInfo(ctx.runtime, input)),
  /** The same under the older path. */
  getFirstUpcomingInvoice: procedure(eventContract.getFirstUpcomingInvoice).query(({ ctx, input }) =>
    summaries.planInfo(ctx.runtime, input),
  ),
  /** Events that Stripe has delivered. */
  listStripeEvents: procedure(eventContract.listStripeEvents).query(({ ctx, input }) =>
    events.listEvents(ctx.runtime, input),
  ),
  /** Handle events again that failed. */
  replayStripeEvents: procedure(eventContract.replayStripeEvents).mutation(({ ctx, input }) =>
    events.replayEvents(ctx.runtime, input),
  ),
  /** Whether the billing pages are there. */
  getBillingHealth: procedure(managementContract.getBillingHealth).query(() => ({ status: 'healthy' })),
  /** Name and address for invoices. */
  getBillingAddress: procedure(managementContract.getBillingAddress).query(({ ctx, input }) =>
    management.getAddress(ctx.runtime, input),
  ),
  /** Set name and address for invoices. */
  updateBillingAddress: procedure(managementContract.updateBillingAddress).mutation(({ ctx, input }) =>
    management.updateAddress(ctx.runtime, input, ctx.requestId),
  ),
  /** Payment methods of a customer. */
  listPaymentMethods: procedure(managementContract.listPaymentMethods).query(({ ctx, input }) =>
    management.listMethods(ctx.runtime, input),
  ),
  /** Attach a payment method. */
  addPaymentMethod: procedure(managementContract.addPaymentMethod).mutation(({ ctx, input }) =>
    management.addMethod(ctx.runtime, input, ctx.requestId),
  ),
  /** Charge invoices to a payment method. */
  setDefaultPaymentMethod: procedure(managementContract.setDefaultPaymentMethod).mutation(({ ctx, input }) =>
    management.setDefaultMethod(ctx.runtime, input, ctx.requestId),
  ),
  /** Detach a payment method. */
  deletePaymentMethod: procedure(managementContract.deletePaymentMethod).mutation(({ ctx, input }) =>
    management.deleteMethod(ctx.runtime, input),
  ),
  /** Invoices of a customer. */
  listTransactions: procedure(managementContract.listTransactions).query(({ ctx, input }) =>
    management.listTransactions(ctx.runtime, input),
  ),
  /** The running subscription of a customer. */
  getSubscription: procedure(managementContract.getSubscription).query(({ ctx, input }) =>
    management.getSubscription(ctx.runtime, input),
  ),
  /** End the subscription with its period. */
  cancelSubscription: procedure(managementContract.cancelSubscription).mutation(({ ctx, input }) =>
    management.cancel(ctx.runtime, input, ctx.requestId),
  ),
  /** Let the subscription go on. */
  reinstateSubscription: procedure(managementContract.reinstateSubscription).mutation(({ ctx, input }) =>
    management.reinstate(ctx.runtime, input, ctx.requestId),
  ),
});
