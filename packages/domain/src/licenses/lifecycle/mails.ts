import { z } from 'zod';
import { defineMail } from '../../kernel/ports/mail.ts';

const aboutExpiration = {
  enterprise_customer_slug: z.string(),
  enterprise_customer_name: z.string(),
  enterprise_sender_alias: z.string(),
  enterprise_contact_email: z.string().nullable(),
  expiration_date: z.string(),
  subscription_plan_title: z.string(),
};

export const expirationMails = {
  before: defineMail({
    name: 'licenses.expiresSoon',
    campaign: 'BRAZE_LICENSE_EXPIRATION_REMINDER_CAMPAIGN',
    properties: z.object({ ...aboutExpiration, days_until_expiration: z.int() }),
  }),
  after: defineMail({
    name: 'licenses.hasExpired',
    campaign: 'BRAZE_SUBSCRIPTION_PLAN_EXPIRATION_CAMPAIGN',
    properties: z.object({ ...aboutExpiration, days_since_expiration: z.int().min(1) }),
  }),
};

const utilization = z.object({
  subscription_plan_title: z.string(),
  subscription_plan_expiration_date: z.string(),
  enterprise_customer_name: z.string().nullable(),
  num_allocated_licenses: z.int(),
  num_licenses: z.int(),
  admin_portal_url: z.string().nullable(),
  num_auto_applied_licenses_since_turned_on: z.int(),
});

export const utilizationMails = {
  periodic_informational: defineMail({
    name: 'licenses.utilization',
    campaign: 'BRAZE_INITIAL_LICENSE_UTILIZATION_CAMPAIGN',
    properties: utilization,
  }),
  limited_allocations_remaining: defineMail({
    name: 'licenses.fewLeft',
    campaign: 'BRAZE_LIMITED_ALLOCATIONS_REMAINING_CAMPAIGN',
    properties: utilization,
  }),
  no_allocations_remaining: defineMail({
    name: 'licenses.noneLeft',
    campaign: 'BRAZE_NO_ALLOCATIONS_REMAINING_CAMPAIGN',
    properties: utilization,
  }),
};

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** `Nov 1, 2025`, in UTC. */
export const shortDate = (date: Date): string =>
  `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()}, ${date.getUTCFullYear()}`;
