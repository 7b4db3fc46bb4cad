import { z } from 'zod';
import { defineMail } from '../../kernel/ports/mail.ts';

export const bulkResultMail = defineMail({
  name: 'licenses.bulkEnrollmentResult',
  campaign: 'BRAZE_BULK_ENROLL_RESULT_CAMPAIGN',
  properties: z.object({
    enterprise_customer_slug: z.string(),
    enterprise_customer_name: z.string(),
    bulk_enrollment_job_uuid: z.string(),
  }),
});
