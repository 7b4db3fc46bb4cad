import { z } from 'zod';
import { defineMail } from '../kernel/ports/mail.ts';

const about = {
  contact_admin_link: z.string().nullable(),
  organization: z.string(),
  course_title: z.string().nullable(),
};
const course = { start_date: z.string(), course_partner: z.string(), course_card_image: z.string().nullable() };
const dashboard = z.object({ ...about, enterprise_dashboard_url: z.string().nullable() });

export const mails = {
  newRequests: defineMail({
    name: 'requests.newRequests',
    campaign: 'BRAZE_LEARNER_CREDIT_BNR_NEW_REQUESTS_NOTIFICATION_CAMPAIGN',
    properties: z.object({
      manage_requests_url: z.string().nullable(),
      requests: z.array(z.object({ user_email: z.string(), course_title: z.string().nullable() })),
      total_requests: z.int(),
      organization: z.string(),
    }),
  }),
  approved: defineMail({
    name: 'requests.approved',
    campaign: 'BRAZE_LEARNER_CREDIT_BNR_APPROVED_NOTIFICATION_CAMPAIGN',
    properties: z.object({ ...about, ...course }),
  }),
  reminded: defineMail({
    name: 'requests.reminded',
    campaign: 'BRAZE_LEARNER_CREDIT_BNR_REMIND_NOTIFICATION_CAMPAIGN',
    properties: z.object({ ...about, ...course }),
  }),
  cancelled: defineMail({
    name: 'requests.cancelled',
    campaign: 'BRAZE_LEARNER_CREDIT_BNR_CANCEL_NOTIFICATION_CAMPAIGN',
    properties: dashboard,
  }),
  declined: defineMail({
    name: 'requests.declined',
    campaign: 'BRAZE_LEARNER_CREDIT_BNR_DECLINE_NOTIFICATION_CAMPAIGN',
    properties: dashboard.extend({ decline_reason: z.string().nullable() }),
  }),
  expired: defineMail({
    name: 'requests.expired',
    campaign: 'BRAZE_LEARNER_CREDIT_BNR_AUTOMATIC_EXPIRATION_NOTIFICATION_CAMPAIGN',
    properties: z.object({ ...about, learner_portal_link: z.string().nullable() }),
  }),
};

/** Variables of mail campaign ids, with a description of each mail. */
export const campaigns = {
  BRAZE_LEARNER_CREDIT_BNR_NEW_REQUESTS_NOTIFICATION_CAMPAIGN: 'Learners have requested courses; for administrators.',
  BRAZE_LEARNER_CREDIT_BNR_APPROVED_NOTIFICATION_CAMPAIGN: 'A requested course was approved.',
  BRAZE_LEARNER_CREDIT_BNR_REMIND_NOTIFICATION_CAMPAIGN: 'Reminder of an approved course.',
  BRAZE_LEARNER_CREDIT_BNR_CANCEL_NOTIFICATION_CAMPAIGN: 'An approved course was cancelled.',
  BRAZE_LEARNER_CREDIT_BNR_DECLINE_NOTIFICATION_CAMPAIGN: 'A requested course was declined.',
  BRAZE_LEARNER_CREDIT_BNR_AUTOMATIC_EXPIRATION_NOTIFICATION_CAMPAIGN: 'An approved course has expired.',
} as const;
