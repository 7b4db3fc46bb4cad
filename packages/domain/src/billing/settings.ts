import { z } from 'zod';
import { defineSettings } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** How long a checkout intent holds slug and name, in minutes (R-BILL-01). */
    readonly billingReservationMinutes: number;
    /** Length of the trial, in days (R-BILL-53). */
    readonly billingTrialDays: number;
    /** Product of purchases that name none. */
    readonly billingDefaultProduct: string;
    /** Lowest and highest number of licences of a purchase (R-BILL-16). */
    readonly billingQuantityRange: readonly [number, number];
    /** Countries that cannot buy (R-BILL-57). */
    readonly billingEmbargoedCountries: readonly string[];
    /** Secrets of the webhook; several while one is replaced. */
    readonly stripeWebhookSecrets: readonly string[];
    /** Base URL of the checkout, for links; null if not configured. */
    readonly checkoutUrl: string | null;
    /** Link to Stripe's portal in mails; null if not configured. */
    readonly stripeCustomerPortalUrl: string | null;
    /** Prefix of relative addresses of pictures of Essentials products; null if not configured. */
    readonly essentialsThumbnailUrl: string | null;
    /** Prefix of relative addresses of pictures of academies; null if not configured. */
    readonly academyThumbnailUrl: string | null;
    /** How long payloads of Stripe's events are kept, in days. */
    readonly stripeEventDays: number;
    /** How long the acceptance of terms is kept after an intent has changed last, in days. */
    readonly billingTermsDays: number;
    /** Academies that `billing.syncAcademies` imports, by uuid or name; all if empty. */
    readonly academyAllowlist: readonly string[];
    /** Customer whose catalogs give the query of academies that have none; null if not configured. */
    readonly academySyncCustomer: string | null;
  }
}

const url = (purpose: string) =>
  z
    .url()
    .transform((text) => text.replace(/\/+$/, ''))
    .nullable()
    .default(null)
    .describe(purpose);
const days = (standard: number, purpose: string) =>
  z.coerce.number().int().min(1).max(36_500).default(standard).describe(purpose);
const list = (standard: string, purpose: string) =>
  z
    .string()
    .default(standard)
    .transform((text) =>
      text
        .split(',')
        .map((each) => each.trim())
        .filter(Boolean),
    )
    .describe(purpose);

const RANGE = /^\s*\[?\s*(\d+)\s*,\s*(\d+)\s*\]?\s*$/;

export const settings = defineSettings({
  billingReservationMinutes: {
    variable: 'INTENT_RESERVATION_DURATION_MINUTES',
    schema: z.coerce
      .number()
      .int()
      .min(1)
      .max(525_600)
      .default(1_440)
      .describe('How long a checkout intent holds slug and name, in minutes; at least as long as Stripe’s sessions.'),
  },
  billingTrialDays: {
    variable: 'SSP_TRIAL_PERIOD_DAYS',
    schema: z.coerce.number().int().min(0).max(730).default(14).describe('Length of the trial, in days.'),
  },
  billingDefaultProduct: {
    variable: 'SSP_DEFAULT_PRODUCT_SLUG',
    schema: z.string().min(1).max(255).default('teams-yearly').describe('Product of purchases that name none.'),
  },
  billingQuantityRange: {
    variable: 'DEFAULT_SSP_QUANTITY_RANGE',
    schema: z
      .string()
      .regex(RANGE, 'must be two numbers, such as 5,50')
      .default('5,50')
      .transform((text): readonly [number, number] => {
        const [, low = '', high = ''] = RANGE.exec(text) ?? [];
        return [Number(low), Number(high)];
      })
      .describe('Lowest and highest number of licences of a purchase.'),
  },
  billingEmbargoedCountries: {
    variable: 'EMBARGOED_COUNTRY_CODES',
    schema: list('RU,IR,KP,SY,CU,BY', 'Countries that cannot buy, separated by commas.'),
  },
  stripeWebhookSecrets: {
    variable: 'STRIPE_WEBHOOK_ENDPOINT_SECRET',
    schema: list('', 'Secrets of Stripe’s webhook, separated by commas; several while one is replaced.'),
  },
  checkoutUrl: {
    variable: 'ENTERPRISE_CHECKOUT_URL',
    schema: url('Base URL of the checkout front end, for links back from Stripe’s portal.'),
  },
  stripeCustomerPortalUrl: {
    variable: 'STRIPE_CUSTOMER_PORTAL_URL',
    schema: url('Link to Stripe’s customer portal in mails about payments that failed.'),
  },
  essentialsThumbnailUrl: {
    variable: 'SSP_ESSENTIALS_THUMBNAIL_S3_BASE_URL',
    schema: url('Prefix of relative addresses of pictures of Essentials products.'),
  },
  academyThumbnailUrl: {
    variable: 'ACADEMY_THUMBNAIL_S3_BASE_URL',
    schema: url('Prefix of relative addresses of pictures of academies.'),
  },
  stripeEventDays: {
    variable: 'STRIPE_EVENT_DAYS',
    schema: days(90, 'Days to keep the payload of Stripe’s events.'),
  },
  billingTermsDays: {
    variable: 'BILLING_TERMS_DAYS',
    schema: days(2_555, 'Days to keep the acceptance of the terms of a purchase; of expired intents 90 at most.'),
  },
  academyAllowlist: {
    variable: 'ESSENTIAL_ACADEMY_ALLOWLIST',
    schema: list('', 'Academies to import, by uuid or name, separated by commas; all without it.'),
  },
  academySyncCustomer: {
    variable: 'ACADEMY_SYNC_ENTERPRISE_CUSTOMER_UUID',
    schema: z
      .guid()
      .nullable()
      .default(null)
      .describe('Customer whose catalogs give the query of imported academies that have none.'),
  },
});
