import { z } from 'zod';
import { type Campaign, defineMail, type MailKind } from '../kernel/ports/mail.ts';
import type { MailName } from './job-contracts.ts';
import type { ProductLine } from './states-contract.ts';

const text = z.string();
const product = { product_slug: text, product_key: text, academy_name: text.optional() };
const common = { ...product, organization: text.optional() };

const ending = z.strictObject({
  ...product,
  trial_end_date: text,
  period_end_date: text,
  restart_subscription_url: text,
  product_type: text,
});

const shapes = {
  signupConfirmation: z.strictObject({
    ...common,
    subscription_start_date: text,
    subscription_end_date: text,
    number_of_licenses: z.int(),
    enterprise_admin_portal_url: text,
    trial_start_datetime: text,
    trial_end_datetime: text,
    plan_amount: z.number().optional(),
    plan_amount_formatted: text.optional(),
    total_amount: z.number().optional(),
    total_amount_formatted: text.optional(),
    customer_name: text,
  }),
  trialEndingSoon: z.strictObject({
    ...common,
    trial_end_date: text,
    renewal_datetime: text,
    number_of_licenses: z.int(),
    license_count: z.int(),
    enterprise_slug: text,
    enterprise_admin_portal_url: text,
    subscription_management_url: text,
    payment_method: text,
    total_paid_amount: text,
  }),
  trialCancelled: ending,
  paidCancelled: ending,
  cancellationFinal: ending,
  reinstated: z.strictObject({ enterprise_admin_portal_url: text }),
  billingError: z.strictObject({
    ...common,
    enterprise_slug: text,
    enterprise_admin_portal_url: text,
    restart_subscription_url: text,
    customer_portal_url: text.optional(),
  }),
  subscriptionStarted: z.strictObject({
    ...common,
    subscription_start_date: text.optional(),
    subscription_start_period: text.optional(),
    subscription_end_period: text.optional(),
    next_payment_date: text.optional(),
    number_of_licenses: z.int().optional(),
    total_license: z.int().nullable(),
    billing_amount: text.nullable(),
    billing_amount_formatted: text.optional(),
    total_billing_amount: z.int().optional(),
    total_billing_amount_formatted: text.optional(),
    invoice_url: text.optional(),
    enterprise_slug: text,
    enterprise_admin_portal_url: text,
  }),
  receipt: z.strictObject({
    ...common,
    total_paid_amount: z.number(),
    total_paid_amount_formatted: text,
    amount_paid_formatted: text,
    total_formatted: text,
    price_per_license: z.number().optional(),
    price_per_license_formatted: text.optional(),
    price_per_license_display: text.optional(),
    license_count: z.int().optional(),
    date_paid: text,
    payment_method: text,
    customer_name: text,
    billing_address: text,
    enterprise_admin_portal_url: text,
    receipt_number: text,
  }),
} as const satisfies Readonly<Record<MailName, z.ZodObject>>;

export type Properties = { readonly [K in MailName]: z.infer<(typeof shapes)[K]> };

const both = (campaign: Campaign): Readonly<Record<ProductLine, Campaign>> => ({
  teams: campaign,
  essentials: campaign,
});

const campaignOf: Readonly<Record<MailName, Readonly<Record<ProductLine, Campaign>>>> = {
  signupConfirmation: {
    teams: 'BRAZE_ENTERPRISE_PROVISION_SIGNUP_CONFIRMATION_CAMPAIGN',
    essentials: 'BRAZE_ESSENTIALS_SIGNUP_CONFIRMATION_CAMPAIGN',
  },
  trialEndingSoon: {
    teams: 'BRAZE_ENTERPRISE_PROVISION_TRIAL_ENDING_SOON_CAMPAIGN',
    essentials: 'BRAZE_ESSENTIALS_TRIAL_ENDING_SOON_CAMPAIGN',
  },
  trialCancelled: {
    teams: 'BRAZE_TRIAL_CANCELLATION_CAMPAIGN',
    essentials: 'BRAZE_ESSENTIALS_TRIAL_CANCELLATION_CAMPAIGN',
  },
  paidCancelled: {
    teams: 'BRAZE_PAID_CANCELLATION_CAMPAIGN',
    essentials: 'BRAZE_ESSENTIALS_PAID_CANCELLATION_CAMPAIGN',
  },
  cancellationFinal: both('BRAZE_SSP_CANCELATION_FINALIZATION_CAMPAIGN'),
  reinstated: both('BRAZE_SSP_SUBSCRIPTION_REINSTATED_CAMPAIGN'),
  billingError: { teams: 'BRAZE_BILLING_ERROR_CAMPAIGN', essentials: 'BRAZE_ESSENTIALS_BILLING_ERROR_CAMPAIGN' },
  subscriptionStarted: {
    teams: 'BRAZE_ENTERPRISE_PROVISION_TRIAL_END_SUBSCRIPTION_STARTED_CAMPAIGN',
    essentials: 'BRAZE_ESSENTIALS_TRIAL_END_SUBSCRIPTION_STARTED_CAMPAIGN',
  },
  receipt: {
    teams: 'BRAZE_ENTERPRISE_PROVISION_PAYMENT_RECEIPT_CAMPAIGN',
    essentials: 'BRAZE_ESSENTIALS_PAYMENT_RECEIPT_CAMPAIGN',
  },
};

/** The kind of mail for a product line; both have one name, so that nobody gets the mail twice. */
export const mailKind = (mail: MailName, line: ProductLine): MailKind =>
  defineMail({ name: `billing.${mail}`, campaign: campaignOf[mail][line], properties: shapes[mail] });
