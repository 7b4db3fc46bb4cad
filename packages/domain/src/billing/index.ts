export { seedBilling } from './demonstration.ts';
export { intentToShow } from './intents.ts';
export {
  intentToFulfil,
  linkProvisioning,
  markFulfilled,
  markProvisioningFailed,
  paidPlanOf,
} from './provisioning.ts';
export { recordRenewal } from './renewals.ts';
export { validateCheckout } from './validation.ts';
export { receiveStripeEvent, WebhookRefused } from './webhook.ts';
