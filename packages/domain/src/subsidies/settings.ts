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
      .describe('Give value back when a learner leaves a course within two weeks; for a ledger of our own.'),
  },
});
