import { z } from 'zod';
import { defineSettings } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Decisions are kept for so many days; with 0 none are written. */
    readonly decisionDays: number;
    /** Share of the requests of can-redeem whose refusals leave decisions. */
    readonly decisionSampleCanRedeem: number;
  }
}

export const settings = defineSettings({
  decisionDays: {
    variable: 'DECISION_DAYS',
    schema: z.coerce
      .number()
      .int()
      .min(0)
      .max(3_650)
      .default(90)
      .describe('Days for which decisions about redemptions and allocations are kept; 0 writes none.'),
  },
  decisionSampleCanRedeem: {
    variable: 'DECISION_SAMPLE_CAN_REDEEM',
    schema: z.coerce
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe('Share of can-redeem requests whose refusals leave decisions; 1 is all, 0 none.'),
  },
});
