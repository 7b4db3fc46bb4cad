import { z } from 'zod';

/** Why somebody may not redeem or be allocated something. */
export const reasonObject = z.object({
  reason: z.string().describe('Machine name; new ones may come.'),
  userMessage: z.string().nullable().describe('Sentence for the learner.'),
  metadata: z.object({
    enterpriseAdministrators: z
      .array(z.object({ email: z.string().nullable(), lmsUserId: z.int().nullable() }))
      .describe('Whom to ask. Learners see the contact address of the customer only.'),
  }),
  policyUuids: z.array(z.string()).describe('Policies that refused for this reason.'),
});
export type ReasonObject = z.infer<typeof reasonObject>;
