import { defineSettings, flag } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Whether all pending members are reminded every day; to test mails. */
    readonly remindsAllInvited: boolean;
  }
}

export const settings = defineSettings({
  remindsAllInvited: {
    variable: 'BRAZE_GROUP_EMAIL_FORCE_REMIND_ALL_PENDING_LEARNERS',
    schema: flag
      .default(false)
      .describe('Remind all pending members of groups every day with the mail of day 5; to test mails.'),
  },
});
