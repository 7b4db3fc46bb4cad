export const campaigns = {
  BRAZE_BULK_ENROLL_RESULT_CAMPAIGN: 'The result of a bulk enrollment is there.',
} as const;
