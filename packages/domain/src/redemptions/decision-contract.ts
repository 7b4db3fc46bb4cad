import { z } from 'zod';
import { decisionKinds, decisionVerdicts } from '../decisions/contract.ts';
import { defineContract } from '../kernel/contract.ts';
import { instant, uuid } from '../kernel/ids.ts';
import { keysetInput, keysetOutput } from '../kernel/keyset.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';

export const checkVerdicts = ['passed', 'failed', 'unknown'] as const;

/** Why something was allowed or refused, at the time when it was asked. */
export const decision = z
  .object({
    uuid: z.string().describe('Identifies the decision; the details of a refusal name it.'),
    created: z.date().describe('When it was decided.'),
    enterpriseCustomerUuid: z.string().describe('Customer that would pay.'),
    policyUuid: z.string().nullable().describe('Policy; null for a question about all of them.'),
    lmsUserId: z.int().nullable().describe('Learner; null for allocations, which are judged for a list of learners.'),
    contentKey: z.string().nullable().describe('Course or run; null when the caller named something else.'),
    kind: openEnum(decisionKinds).describe('What was asked.'),
    verdict: z.enum(decisionVerdicts).describe('Whether it was allowed.'),
    reason: z.string().nullable().describe('Machine name of the refusal; new ones may come.'),
    learnerCount: z.int().describe('Learners that the decision is about.'),
    redemptionUuid: z.string().nullable().describe('Redemption that began with it.'),
    checks: z
      .array(
        z
          .object({
            name: z.string().describe('Machine name, mostly the reason that a failure of it gives.'),
            rule: z.string().nullable().describe('Number of the rule in the documentation; null when it is gone.'),
            verdict: z.enum(checkVerdicts).describe('How it ended; unknown without the price that it needs.'),
            inputs: z.record(z.string(), z.unknown()).describe('What it looked at.'),
          })
          .meta({ title: 'DecisionCheck' }),
      )
      .describe('In the order in which they decide.'),
    requestId: z.string().nullable().describe('Request that asked; null for administrators, and for jobs.'),
    facts: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('Everything that was judged, as it is stored; null for administrators.'),
  })
  .meta({ title: 'Decision' });
export type DecisionView = z.infer<typeof decision>;

export const listDecisions = defineContract({
  summary:
    'What was decided about a customer’s redemptions and allocations, newest first. Decisions are deleted after some time.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  rest: { method: 'GET', path: '/api/v1/redemption-decisions/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer whose decisions are wanted.'),
    lmsUserId: z.int().min(1).max(2_147_483_647).optional().describe('Only about this learner.'),
    policyUuid: uuid().optional().describe('Only about this policy.'),
    contentKey: z.string().min(1).max(255).optional().describe('Only about this course or run, as it was asked for.'),
    kind: z.enum(decisionKinds).optional().describe('Only of this kind.'),
    verdict: z.enum(decisionVerdicts).optional().describe('Only allowed or only refused ones.'),
    reason: z
      .string()
      .regex(/^\w{1,64}$/)
      .optional()
      .describe('Only refused for this reason.'),
    requestId: z
      .string()
      .regex(/^[\w.:+/=-]{1,128}$/)
      .optional()
      .describe('Only of this request.'),
    from: instant().optional().describe('Not before this time.'),
    to: instant().optional().describe('Before this time.'),
    ...keysetInput({ defaultSize: 20, maximumSize: 100 }),
  }),
  output: keysetOutput(decision).extend({
    pageSize: z.int().min(1).describe('Largest number of items in this page.'),
  }),
  errors: [],
});

export const getDecision = defineContract({
  summary: 'One decision with every check, its rule and what it looked at.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: { from: 'decision', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/redemption-decisions/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Decision, as a refusal names it.') }),
  output: decision,
  errors: [],
});
