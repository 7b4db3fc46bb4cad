import { defineSettings, flag } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Whether the embedded ledger refunds learners who leave a course early. */
    readonly refundsUnenrolments: boolean;
  }
}

export const settings = defineSettings({
  refundsUnenrolments: {
    variable: 'ENABLE_HANDLE_LC_ENROLLMENT_REVOKED',
    schema: flag
      .default(true)
      .describe('Refund learners who leave a course within two weeks; only with the embedded ledger.'),
  },
});
