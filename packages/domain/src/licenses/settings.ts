import { z } from 'zod';
import { defineSettings, flag } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Hours before a renewal takes effect in which the plan counts as locked, and the window of the scheduled job. */
    readonly renewalLockHours: number;
    /** Who hears that a plan has no revocations left; null for nobody. */
    readonly customerSuccessAddress: string | null;
    /** Signature over subsidies that the LMS checks (R-LIC-81). */
    readonly subsidyChecksumAlgorithm: 'sha256' | 'sha384' | 'sha512';
    /** Null: no subsidies can be signed. */
    readonly subsidyChecksumSecret: string | null;
    readonly subsidyChecksumFormat: string;
    /** Account of the platform that retires users; null if none may. */
    readonly retirementWorkerUsername: string | null;
    /** Whether the catalog of a plan must belong to its customer. */
    readonly validateExternalFields: boolean;
  }
}

export const settings = defineSettings({
  renewalLockHours: {
    variable: 'SUBSCRIPTION_PLAN_RENEWAL_LOCK_PERIOD_HOURS',
    schema: z.coerce
      .number()
      .int()
      .min(1)
      .max(720)
      .default(12)
      .describe('Hours before its effective date in which a renewal is processed and its plan is shown as locked.'),
  },
  customerSuccessAddress: {
    variable: 'CUSTOMER_SUCCESS_EMAIL_ADDRESS',
    schema: z
      .email()
      .max(254)
      .nullable()
      .default(null)
      .describe('Address that gets a mail when a plan has no revocations left; not set, nobody does.'),
  },
  subsidyChecksumAlgorithm: {
    variable: 'ENTERPRISE_SUBSIDY_CHECKSUM_ALGORITHM',
    schema: z
      .enum(['sha256', 'sha384', 'sha512'])
      .default('sha256')
      .describe('Hash of the signature over license subsidies; the same as in the LMS.'),
  },
  subsidyChecksumSecret: {
    variable: 'ENTERPRISE_SUBSIDY_CHECKSUM_SECRET_KEY',
    schema: z
      .string()
      .min(1)
      .max(1_000)
      .nullable()
      .default(null)
      .describe('Key of that signature, shared with the LMS. Without it, license subsidies are answered with 503.'),
  },
  subsidyChecksumFormat: {
    variable: 'ENTERPRISE_SUBSIDY_CHECKSUM_MESSAGE_FORMAT',
    schema: z
      .string()
      .max(1_000)
      .default('{lms_user_id}:{course_key}:{license_uuid}')
      .describe('The signed text, with placeholders.'),
  },
  retirementWorkerUsername: {
    variable: 'RETIREMENT_SERVICE_WORKER_USERNAME',
    schema: z
      .string()
      .max(150)
      .nullable()
      .default(null)
      .describe('Username of the account that asks to retire users; nobody else but superusers can.'),
  },
  validateExternalFields: {
    variable: 'VALIDATE_FORM_EXTERNAL_FIELDS',
    schema: flag
      .default(true)
      .describe('Ask the catalog service whether the catalog of a plan belongs to its customer.'),
  },
});
