import { defineSlice } from '../kernel/slice.ts';
import { campaigns } from './campaigns.ts';
import * as catalogue from './catalogue-contract.ts';
import * as contract from './contract.ts';
import * as event from './event-contract.ts';
import { events } from './events.ts';
import { billingJobs } from './jobs.ts';
import { legacy } from './legacy.ts';
import * as management from './management-contract.ts';
import { billingPermissions, roles, summaryPermissions } from './permissions.ts';
import { billing } from './router.ts';
import { settings } from './settings.ts';
import { ownerOfPlan } from './store.ts';
import { tables } from './tables.ts';

const { createCheckoutIntent, findCheckoutIntents, getCheckoutIntent, listCheckoutIntents, updateCheckoutIntent } =
  contract;
const { createCheckoutPortalSession, createCheckoutSession, createEnterprisePortalSession } = contract;
const { getAcademyProduct, getSspProduct, listAcademyProducts, listSspProducts } = catalogue;
const { getFirstUpcomingInvoice, getPlanInfo, listStripeEvents, listStripeEventSummaries, replayStripeEvents } = event;
const { addPaymentMethod, deletePaymentMethod, getBillingAddress, getBillingHealth, listPaymentMethods } = management;
const { cancelSubscription, getSubscription, listTransactions, reinstateSubscription } = management;
const { setDefaultPaymentMethod, updateBillingAddress } = management;
const { checkoutIntent, fieldDecision } = contract;
const { academyProduct, sspProduct } = catalogue;
const { planInfo, stripeEvent, stripeEventSummary } = event;
const { billingAddress, billingMethod, billingSubscription, billingTransaction } = management;

export const billingSlice = defineSlice({
  name: 'billing',
  tables,
  namespaces: {
    billing: {
      tag: 'Self-service purchases by Stripe, from the form to renewals.',
      router: billing,
      contracts: {
        addPaymentMethod,
        cancelSubscription,
        createCheckoutIntent,
        createCheckoutPortalSession,
        createCheckoutSession,
        createEnterprisePortalSession,
        deletePaymentMethod,
        findCheckoutIntents,
        getAcademyProduct,
        getBillingAddress,
        getBillingHealth,
        getCheckoutIntent,
        getFirstUpcomingInvoice,
        getPlanInfo,
        getSspProduct,
        getSubscription,
        listAcademyProducts,
        listCheckoutIntents,
        listPaymentMethods,
        listSspProducts,
        listStripeEvents,
        listStripeEventSummaries,
        listTransactions,
        reinstateSubscription,
        replayStripeEvents,
        setDefaultPaymentMethod,
        updateBillingAddress,
        updateCheckoutIntent,
      },
      models: {
        academyProduct,
        billingAddress,
        billingMethod,
        billingSubscription,
        billingTransaction,
        checkoutIntent,
        fieldDecision,
        planInfo,
        sspProduct,
        stripeEvent,
        stripeEventSummary,
      },
      legacy,
    },
  },
  permissions: [...Object.values(billingPermissions), ...Object.values(summaryPermissions)],
  roles,
  // A plan can get its customer later.
  owners: { subscriptionPlan: { find: ownerOfPlan, remembered: false } },
  jobs: billingJobs,
  events,
  settings,
  campaigns,
});
