export { seedBilling } from './demonstration.ts';
export { intentToShow, viewOf as viewOfIntent } from './intents.ts';
export { type PricedProduct, pricedProducts } from './products.ts';
export {
  findIntentFor,
  intentToFulfil,
  linkProvisioning,
  markFulfilled,
  markProvisioningFailed,
  type ProvisioningProduct,
  paidPlanOf,
  productFor,
} from './provisioning.ts';
export { type MadeRenewal, recordRenewal } from './renewals.ts';
export { type CheckoutForm, validateCheckout } from './validation.ts';
export { receiveStripeEvent, WebhookRefused } from './webhook.ts';
