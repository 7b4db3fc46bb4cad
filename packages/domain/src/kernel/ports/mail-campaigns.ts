/**
 * The environment variables that hold the ids of mail campaigns, with what their mail is about. Texts and looks of mails
 * live at the mail service; a campaign without an id is one that is not sent.
 */
export const campaigns = {
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_5_CAMPAIGN: 'Invited to a group five days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_25_CAMPAIGN: 'Invited to a group 25 days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_50_CAMPAIGN: 'Invited to a group 50 days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_65_CAMPAIGN: 'Invited to a group 65 days ago.',
  BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_85_CAMPAIGN: 'Invited to a group 85 days ago; the invitation ends on day 90.',
  BRAZE_ASSIGNMENT_NOTIFICATION_CAMPAIGN: 'A course was assigned.',
  BRAZE_ASSIGNMENT_REMINDER_NOTIFICATION_CAMPAIGN: 'Reminder of an assigned course, to somebody without an account.',
  BRAZE_ASSIGNMENT_REMINDER_POST_LOGISTRATION_NOTIFICATION_CAMPAIGN:
    'Reminder of an assigned course, to somebody with an account.',
  BRAZE_ASSIGNMENT_NUDGE_EXEC_ED_ACCEPTED_ASSIGNMENT_CAMPAIGN: 'An executive education course starts soon.',
  BRAZE_ASSIGNMENT_CANCELLED_NOTIFICATION_CAMPAIGN: 'An assignment was cancelled.',
  BRAZE_ASSIGNMENT_AUTOMATIC_CANCELLATION_NOTIFICATION_CAMPAIGN: 'An assignment has expired.',
  BRAZE_LEARNER_CREDIT_BNR_APPROVED_NOTIFICATION_CAMPAIGN: 'A request for learner credit was approved.',
  BRAZE_LEARNER_CREDIT_BNR_REMIND_NOTIFICATION_CAMPAIGN: 'Reminder of an approved request for learner credit.',
  BRAZE_LEARNER_CREDIT_BNR_CANCEL_NOTIFICATION_CAMPAIGN: 'An approved request for learner credit was cancelled.',
  BRAZE_LEARNER_CREDIT_BNR_DECLINE_NOTIFICATION_CAMPAIGN: 'A request for learner credit was declined.',
  BRAZE_LEARNER_CREDIT_BNR_AUTOMATIC_EXPIRATION_NOTIFICATION_CAMPAIGN: 'A request for learner credit has expired.',
  BRAZE_LEARNER_CREDIT_BNR_NEW_REQUESTS_NOTIFICATION_CAMPAIGN: 'To administrators: new requests for learner credit.',
  BRAZE_APPROVE_NOTIFICATION_CAMPAIGN: 'A request for a licence or a coupon code was approved.',
  BRAZE_DECLINE_NOTIFICATION_CAMPAIGN: 'A request for a licence or a coupon code was declined.',
  BRAZE_AUTO_DECLINE_NOTIFICATION_CAMPAIGN:
    'A request for a licence or a coupon code was declined by a changed setting.',
  BRAZE_NEW_REQUESTS_NOTIFICATION_CAMPAIGN: 'To administrators: new requests for licences or coupon codes.',
} as const;

/** Name of the variable with a campaign's id. */
export type Campaign = keyof typeof campaigns;

export const campaignVariables = Object.keys(campaigns) as Campaign[];
