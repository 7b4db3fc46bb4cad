export { seedBilling } from './demonstration.ts';
export { intentToShow } from './intents.ts';
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
export { recordRenewal } from './renewals.ts';
export { ForbiddenMove } from './transition.ts';
export { validateCheckout } from './validation.ts';
export { receiveStripeEvent, WebhookRefused } from './webhook.ts';
