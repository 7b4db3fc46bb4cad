/** Variables of the campaign ids of mails about plans. */
export const lifecycleCampaigns = {
  BRAZE_LICENSE_EXPIRATION_REMINDER_CAMPAIGN: 'The plan of a licence expires soon.',
  BRAZE_SUBSCRIPTION_PLAN_EXPIRATION_CAMPAIGN: 'The plan of a licence has expired.',
  BRAZE_INITIAL_LICENSE_UTILIZATION_CAMPAIGN:
    'How much of a plan is in use, a week after licences are applied automatically; for administrators.',
  BRAZE_LIMITED_ALLOCATIONS_REMAINING_CAMPAIGN: 'Three quarters of a plan are in use; for administrators.',
  BRAZE_NO_ALLOCATIONS_REMAINING_CAMPAIGN: 'No licences of a plan are left; for administrators.',
} as const;
