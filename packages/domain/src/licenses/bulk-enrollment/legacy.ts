import { z } from 'zod';
import type { FieldErrors } from '../../kernel/errors.ts';
import { type LegacyForm, legacyReply, messagesByField } from '../../kernel/legacy.ts';
import * as contract from './contract.ts';

const jobId = z.string().describe('Identifies the bulk enrollment.');
const JOB = 'bulk_enrollment_job_uuid';

/** A message as a bare string. */
const plainText = { body: z.string(), encode: (_details: never, message: string) => message };

export const legacy: Readonly<Record<string, LegacyForm>> = {
  enroll: {
    query: {
      enterprise_customer_uuid: {
        field: 'enterpriseCustomerUuid',
        description: 'Customer of the learners.',
        example: '11111111-1111-4111-8111-111111111111',
      },
      subscription_uuid: {
        field: 'subscriptionUuid',
        description: 'Only licences of this plan.',
        example: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1',
      },
      enroll_all: {
        field: 'enrollAll',
        description: 'Enroll everybody with an assigned or activated licence of the plan.',
        example: 'false',
      },
    },
    reply: legacyReply(contract.enroll, {
      body: z.object({ job_id: jobId }).meta({ title: 'BulkEnrollmentJob' }),
      encode: ({ uuid }) => ({ job_id: uuid }),
    }),
    errors: { too_many_enrollments: plainText },
  },
  status: {
    reply: legacyReply(contract.status, {
      body: z
        .object({ job_id: jobId, download_url: z.string().nullable().describe('Link to the result, for 300 s.') })
        .meta({ title: 'BulkEnrollmentStatus' }),
      encode: ({ uuid, downloadUrl }) => ({ job_id: uuid, download_url: downloadUrl }),
    }),
    errors: {
      invalid_input: {
        body: z.union([z.string(), messagesByField]).meta({
          title: 'BulkEnrollmentStatusRefusal',
          description: 'A text if the job is not named, else messages by field.',
        }),
        encode: ({ fields }: { fields: FieldErrors }) => {
          const messages = fields[JOB];
          const isMissing = Array.isArray(messages) && messages.includes('This field is required.');
          return isMissing ? `Missing the following required request data: ['${JOB}']` : fields;
        },
      },
    },
  },
};
