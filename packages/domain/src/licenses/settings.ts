import { z } from 'zod';
import { defineSettings, flag } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Hours before a renewal takes effect in which the plan counts as locked, and the window of the scheduled job. */
    readonly renewalLockHours: number;
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
