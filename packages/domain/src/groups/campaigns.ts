/**
 * Variables of mail campaign ids, with a description of each mail. The templates are in the mail service; mails
 * without a campaign id are not sent.
 */
export const campaigns = {
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_5_CAMPAIGN: 'Invited to a group five days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_25_CAMPAIGN: 'Invited to a group 25 days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_50_CAMPAIGN: 'Invited to a group 50 days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_65_CAMPAIGN: 'Invited to a group 65 days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_85_CAMPAIGN: 'Invited to a group 85 days ago; the invitation ends on day 90.',
} as const;
