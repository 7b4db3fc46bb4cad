/** Variables of mail campaign ids. Seven mails have one for Essentials beside the one for Teams. */
export const campaigns = {
  BRAZE_ENTERPRISE_PROVISION_SIGNUP_CONFIRMATION_CAMPAIGN: 'A customer was built after a purchase.',
  BRAZE_ENTERPRISE_PROVISION_TRIAL_ENDING_SOON_CAMPAIGN: 'A trial ends in three days.',
  BRAZE_TRIAL_CANCELLATION_CAMPAIGN: 'A trial was cancelled.',
  BRAZE_PAID_CANCELLATION_CAMPAIGN: 'A paid subscription was cancelled.',
  BRAZE_SSP_CANCELATION_FINALIZATION_CAMPAIGN: 'A cancelled subscription has ended.',
  BRAZE_SSP_SUBSCRIPTION_REINSTATED_CAMPAIGN: 'A cancellation was withdrawn.',
  BRAZE_BILLING_ERROR_CAMPAIGN: 'A payment failed.',
  BRAZE_ENTERPRISE_PROVISION_TRIAL_END_SUBSCRIPTION_STARTED_CAMPAIGN: 'A trial has become a paid subscription.',
  BRAZE_ENTERPRISE_PROVISION_PAYMENT_RECEIPT_CAMPAIGN: 'An invoice was paid.',
  BRAZE_ESSENTIALS_SIGNUP_CONFIRMATION_CAMPAIGN: 'Essentials: a customer was built after a purchase.',
  BRAZE_ESSENTIALS_TRIAL_ENDING_SOON_CAMPAIGN: 'Essentials: a trial ends in three days.',
  BRAZE_ESSENTIALS_TRIAL_CANCELLATION_CAMPAIGN: 'Essentials: a trial was cancelled.',
  BRAZE_ESSENTIALS_PAID_CANCELLATION_CAMPAIGN: 'Essentials: a paid subscription was cancelled.',
  BRAZE_ESSENTIALS_BILLING_ERROR_CAMPAIGN: 'Essentials: a payment failed.',
  BRAZE_ESSENTIALS_TRIAL_END_SUBSCRIPTION_STARTED_CAMPAIGN: 'Essentials: a trial has become a paid subscription.',
  BRAZE_ESSENTIALS_PAYMENT_RECEIPT_CAMPAIGN: 'Essentials: an invoice was paid.',
} as const;
