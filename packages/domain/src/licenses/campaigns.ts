/** Variables of the campaign ids of mails about licences. */
export const campaigns = {
  BRAZE_ASSIGNMENT_EMAIL_CAMPAIGN: 'A licence was assigned: the activation link.',
  BRAZE_REMIND_EMAIL_CAMPAIGN: 'Reminder of a licence that was not activated.',
  BRAZE_ACTIVATION_EMAIL_CAMPAIGN: 'A licence was activated.',
  BRAZE_AUTOAPPLY_WITH_LEARNER_PORTAL_CAMPAIGN: 'A licence was applied automatically.',
  BRAZE_AUTOAPPLY_NO_LEARNER_PORTAL_CAMPAIGN:
    'A licence was applied automatically, for customers whose learners do not use the learner portal.',
  BRAZE_REVOKE_CAP_EMAIL_CAMPAIGN: 'A plan has no revocations left, for customer success.',
} as const;
