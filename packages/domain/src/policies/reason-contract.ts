import { z } from 'zod';
import { openEnum } from '../kernel/open-enum.ts';

/** Reasons of a refused redemption, in the order of the checks, then those without a check. */
export const reasonCodes = [
  'policy_expired',
  'learner_not_in_enterprise',
  'learner_not_in_enterprise_group',
  'content_not_in_catalog',
  'beyond_enrollment_deadline',
  'subsidy_expired',
  'not_enough_value_in_subsidy',
  'policy_spend_limit_reached',
  'learner_max_enrollments_reached',
  'learner_max_spend_reached',
  'reason_learner_not_assigned_content',
  'reason_learner_assignment_cancelled',
  'reason_learner_assignment_failed',
  'reason_learner_assignment_expired',
  'reason_learner_assignment_reversed',
  'access_by_request_only',
] as const;
/** A reason code; new ones can be added. */
export const reasonCode = () => openEnum(reasonCodes);

/** A refusal reason with its display data. */
export const reasonObject = z
  .object({
    reason: reasonCode().describe('Code; new codes can be added.'),
    userMessage: z.string().nullable().describe('Message for the learner.'),
    metadata: z
      .object({
        enterpriseAdministrators: z
          .array(
            z
              .object({
                email: z.string().nullable().describe('E-mail address. Personal data unless it is the customer’s.'),
                lmsUserId: z.int().nullable().describe('The administrator; null for an address of the customer.'),
              })
              .meta({ title: 'Administrator' }),
          )
          .describe('Contacts. Learners see only the contact address of the customer.'),
      })
      .describe('Information for the learner on how to proceed.'),
    policyUuids: z.array(z.string()).describe('Policies that refused for this reason.'),
  })
  .meta({ title: 'Reason' });
export type ReasonObject = z.infer<typeof reasonObject>;
