import { z } from 'zod';
import { defineSettings, flag } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    readonly provisioningTrialProductId: number;
    readonly provisioningPaidProductId: number;
    /** Whether new plans are for internal use only. */
    readonly provisioningIsInternal: boolean;
    /** How long a request waits for its workflow. */
    readonly provisioningWaitSeconds: number;
  }
}

const id = (standard: number) => z.coerce.number().int().min(1).default(standard);

export const settings = defineSettings({
  provisioningTrialProductId: {
    variable: 'PROVISIONING_TRIAL_SUBSCRIPTION_PRODUCT_ID',
    schema: id(2).describe('Product of trials whose request and catalogue name none.'),
  },
  provisioningPaidProductId: {
    variable: 'PROVISIONING_PAID_SUBSCRIPTION_PRODUCT_ID',
    schema: id(1).describe('Product of paid plans whose request and catalogue name none.'),
  },
  provisioningIsInternal: {
    variable: 'PROVISIONING_FOR_INTERNAL_USE_ONLY',
    schema: flag.default(true).describe('Mark the plans of new customers as internal.'),
  },
  provisioningWaitSeconds: {
    variable: 'PROVISIONING_WAIT_SECONDS',
    schema: z.coerce
      .number()
      .min(0)
      .max(300)
      .default(25)
      .describe('How long a request waits for its customer before it answers 202 and a worker goes on.'),
  },
});
