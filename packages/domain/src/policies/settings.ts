import { defineSettings, flag } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Whether policies with spend can be deactivated. */
    readonly allowDeactivationWithSpend: boolean;
  }
}

export const settings = defineSettings({
  allowDeactivationWithSpend: {
    variable: 'ALLOW_BUDGET_DEACTIVATION_WITH_SPEND',
    schema: flag.default(false).describe('Allow deactivation of policies with spend.'),
  },
});
