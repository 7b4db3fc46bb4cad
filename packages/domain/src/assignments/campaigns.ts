/**
 * Variables of mail campaign ids, with a description of each mail. The templates are in the mail service; mails
 * without a campaign id are not sent.
 */
export const campaigns = {
  BRAZE_ASSIGNMENT_NOTIFICATION_CAMPAIGN: 'A course was assigned.',
  BRAZE_ASSIGNMENT_REMINDER_NOTIFICATION_CAMPAIGN: 'Reminder of an assigned course, for learners without an account.',
  BRAZE_ASSIGNMENT_REMINDER_POST_LOGISTRATION_NOTIFICATION_CAMPAIGN:
    'Reminder of an assigned course, for learners with an account.',
  BRAZE_ASSIGNMENT_NUDGE_EXEC_ED_ACCEPTED_ASSIGNMENT_CAMPAIGN: 'An executive education course starts soon.',
  BRAZE_ASSIGNMENT_CANCELLED_NOTIFICATION_CAMPAIGN: 'An assignment was cancelled.',
  BRAZE_ASSIGNMENT_AUTOMATIC_CANCELLATION_NOTIFICATION_CAMPAIGN: 'An assignment has expired.',
} as const;
