import { z } from 'zod';
import { providerSlugs } from './subsidies.ts';

const date = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
const metadata = z.record(z.string(), z.unknown()).nullable().optional();
const idempotencyKey = z.string().min(1).max(255).nullable().optional();

/** SUB-06 */
export const newSubsidyBody = z.object({
  reference_id: z.string().min(1),
  default_title: z.string(),
  default_enterprise_customer_uuid: z.uuid(),
  default_active_datetime: date.nullable(),
  default_expiration_datetime: date.nullable(),
  default_unit: z.enum(['usd_cents', 'seats']),
  default_starting_balance: z.int().min(0),
  default_revenue_category: z.enum(['bulk-enrollment-prepay', 'partner-no-rev-prepay']),
  default_internal_only: z.boolean(),
});

/** SUB-07 */
export const subsidyChanges = z.object({
  title: z.string().nullable().optional(),
  active_datetime: date.nullable().optional(),
  expiration_datetime: date.nullable().optional(),
  revenue_category: z.string().optional(),
});

/** SUB-09 */
export const redemptionBody = z.object({
  lms_user_id: z.int(),
  content_key: z.string().min(1),
  subsidy_access_policy_uuid: z.uuid(),
  metadata,
  idempotency_key: idempotencyKey,
  requested_price_cents: z.int().min(0).nullable().optional(),
});

/** SUB-10 */
export const depositBody = z.object({
  desired_deposit_quantity: z.int().min(1),
  sales_contract_reference_id: z.string().min(1),
  sales_contract_reference_provider: z.string().refine((slug) => providerSlugs.has(slug), 'Unknown provider slug.'),
  metadata,
  idempotency_key: idempotencyKey,
});
