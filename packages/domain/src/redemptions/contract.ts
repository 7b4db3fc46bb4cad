import { z } from 'zod';
import { learnerAssignment } from '../assignments/contract.ts';
import { decisionUuid } from '../decisions/contract.ts';
import { defineContract } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { courseRunKey, uuid } from '../kernel/ids.ts';
import { METADATA_BODY_LIMIT_BYTES, metadata } from '../kernel/metadata.ts';
import { transactionView } from '../ledger/contract.ts';
import { accessMethod, policyLocked, policyType } from '../policies/contract.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { reasonCode, reasonObject } from '../policies/reason-contract.ts';
import { checkVerdicts, decision } from './decision-contract.ts';

const lmsUserId = () => z.int().min(1).max(2_147_483_647);

/** A policy as learners see it, with the address to redeem at. */
export const redeemablePolicy = z
  .object({
    uuid: z.string().describe('Identifies the policy.'),
    policyType: policyType.describe('Which rules decide.'),
    enterpriseCustomerUuid: z.string().describe('Customer that pays.'),
    displayName: z.string().nullable().describe('Name for administrators.'),
    description: z.string().describe('Free text for administrators.'),
    active: z.boolean().describe('False hides the policy.'),
    retired: z.boolean().describe('True stops redemptions.'),
    retiredAt: z.date().nullable().describe('When it was retired.'),
    catalogUuid: z.string().describe('Catalog whose content may be redeemed.'),
    subsidyUuid: z.string().describe('Subsidy that pays.'),
    accessMethod: accessMethod.describe('How learners come to a redemption.'),
    spendLimit: z.int().nullable().describe('US cents; null is no limit.'),
    perLearnerEnrollmentLimit: z.int().nullable().describe('Redemptions per learner; null is no limit.'),
    perLearnerSpendLimit: z.int().nullable().describe('US cents per learner; null is no limit.'),
    lateRedemptionAllowedUntil: z.date().nullable().describe('Until then deadlines do not count.'),
    assignmentConfiguration: z.string().nullable().describe('Where assignments are kept.'),
    learnerCreditRequestConfig: z.string().nullable().describe('Browse & Request configuration.'),
    policyRedemptionUrl: z.string().describe('POST here to redeem.'),
    isLateRedemptionAllowed: z.boolean().describe('Whether deadlines do not count right now.'),
  })
  .meta({ title: 'RedeemablePolicy' });
export type RedeemablePolicy = z.infer<typeof redeemablePolicy>;

/** None of the policies, or not this one, lets the learner redeem the content; nothing was spent. */
export const notRedeemable = defineError({
  code: 'not_redeemable',
  status: 422,
  message: 'The content cannot be redeemed by this learner through this policy.',
  details: z.object({
    reason: reasonCode().describe('The first reason.'),
    reasons: z.array(reasonObject).describe('Why, first reason first.'),
    decisionUuid: decisionUuid(),
  }),
});

/** The ledger or the enrolment behind it refused; nothing was spent. */
export const spendRefused = defineError({
  code: 'spend_refused',
  status: 422,
  message: 'The redemption was refused.',
  details: z.object({
    reason: z.string().describe('Machine name of the refusal.'),
    detail: z.string().describe('Sentence for people.'),
    subsidyStatusCode: z.string().describe('Status that the ledger or the LMS answered with.'),
    body: z.string().nullable().describe('JSON of a subsidy service, as it sent it; null when there is none.'),
    decisionUuid: decisionUuid(),
  }),
});

/** It is not known yet how the redemption ends; it will be completed, and repeating the request shows how it ended. */
export const redemptionPending = defineError({
  code: 'redemption_pending',
  status: 503,
  message: 'The redemption is being completed. Repeat the request to see how it ended; nothing is charged twice.',
  details: z.object({ redemptionUuid: z.string().describe('The redemption in question.') }),
});

/** There is no price to decide by. */
export const priceUnknown = defineError({
  code: 'price_unknown',
  status: 422,
  message: 'Could not determine price.',
  details: z.object({ contentKey: z.string().describe('Content without a price.'), decisionUuid: decisionUuid() }),
});

const customer = { from: 'customer', field: 'enterpriseCustomerUuid' } as const;
const policy = { from: 'policy', field: 'policyUuid' } as const;
const redemption = policyPermissions.has_redemption_access;

export const canRedeem = defineContract({
  summary: 'Whether and through which policy a learner can redeem each of some course runs.',
  kind: 'query',
  permission: redemption,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/policy-redemption/enterprise-customer/{enterpriseCustomerUuid}/can-redeem/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer that would pay.'),
    contentKey: z.array(courseRunKey()).min(1).max(200).describe('Course runs; at most 200.'),
    lmsUserId: lmsUserId().optional().describe('Another learner; for staff only, otherwise ignored.'),
  }),
  output: z.array(
    z
      .object({
        contentKey: z.string().describe('The course run asked about.'),
        listPrice: z
          .object({ usd: z.number().describe('US dollars.'), usdCents: z.int().describe('US cents.') })
          .meta({ title: 'ListPrice' })
          .nullable()
          .describe('Price, null if unknown.'),
        redemptions: z
          .array(
            transactionView
              .extend({ policyRedemptionStatusUrl: z.string().describe('Where its state can be read.') })
              .meta({ title: 'RedemptionTransaction' }),
          )
          .describe('What the learner has redeemed of it so far, in any state.'),
        hasSuccessfulRedemption: z.boolean().describe('Whether one of them stands.'),
        redeemableSubsidyAccessPolicy: redeemablePolicy.nullable().describe('The policy to redeem through.'),
        canRedeem: z.boolean().describe('Whether there is such a policy.'),
        reasons: z.array(reasonObject).describe('Why there is none.'),
        displayReason: reasonObject.nullable().describe('The reason to show.'),
      })
      .meta({ title: 'Redeemability' }),
  ),
  errors: [priceUnknown],
});

export const canRequest = defineContract({
  summary: 'Whether a learner can request a course through a Browse & Request policy.',
  kind: 'query',
  permission: redemption,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/policy-redemption/enterprise-customer/{enterpriseCustomerUuid}/can-request/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer that would pay.'),
    contentKey: z.string().min(1).max(255).describe('Course.'),
    lmsUserId: lmsUserId().optional().describe('Another learner; for staff only, otherwise ignored.'),
  }),
  output: z.object({
    canRequest: z.boolean().describe('Whether a request can be made.'),
    reason: z.string().nullable().describe('Why not.'),
  }),
  errors: [],
});

export const creditsAvailable = defineContract({
  summary: 'Policies that a learner can still spend from, newest first.',
  kind: 'query',
  permission: redemption,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/policy-redemption/credits_available/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer that pays.'),
    lmsUserId: lmsUserId().describe('Learner: the caller, or for administrators anybody of the customer.'),
  }),
  output: z.array(
    redeemablePolicy
      .extend({
        remainingBalancePerUser: z
          .int()
          .nullable()
          .describe('What the learner has left: US cents, or redemptions for enrollment limits.'),
        remainingBalance: z.int().describe('US cents in the subsidy.'),
        subsidyExpirationDate: z.date().nullable().describe('End of the subsidy.'),
        learnerContentAssignments: z
          .array(learnerAssignment)
          .describe('Assignments of the learner, without those whose end was acknowledged.'),
        learnerRequests: z.array(z.unknown()).describe('Requests of the learner.'),
        groupAssociations: z.array(z.string()).describe('Groups whose members may redeem.'),
      })
      .meta({ title: 'PolicyWithCredit' }),
  ),
  errors: [],
});

export const redeem = defineContract({
  summary:
    'Spend a policy’s credit on one course run for one learner. Repeating it answers with the first transaction.',
  kind: 'mutation',
  permission: redemption,
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-redemption/{policyUuid}/redeem/' },
  bodyLimitBytes: METADATA_BODY_LIMIT_BYTES,
  input: z.object({
    policyUuid: uuid().describe('Budget to spend from.'),
    lmsUserId: lmsUserId().describe(
      'Learner who will be enrolled: the caller, or for operators anybody of the customer.',
    ),
    contentKey: courseRunKey().describe('Course run.'),
    metadata: metadata('Kept with the transaction.').optional(),
  }),
  output: transactionView,
  // In flight when the end is not known soon; callers read its state at `transactionStatusApiUrl`.
  isFinal: ({ state }) => state !== 'created' && state !== 'pending',
  errors: [notRedeemable, spendRefused, redemptionPending, priceUnknown, policyLocked],
});

export const get = defineContract({
  summary: 'One redemption: the transaction it made.',
  kind: 'query',
  permission: redemption,
  context: { from: 'transaction', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/policy-redemption/transactions/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Transaction.') }),
  output: transactionView,
  errors: [],
});

/** A redemption that support makes for a learner, and how it ended. */
export const forcedRedemption = z
  .object({
    uuid: z.string().describe('Identifies the record.'),
    policyUuid: z.string().describe('Budget to spend from.'),
    lmsUserId: z.int().describe('Learner.'),
    courseRunKey: z.string().describe('Course run.'),
    contentPriceCents: z.int().describe('US cents to assign the content at; only assigned policies use it.'),
    waitToRedeem: z.boolean().describe('True only stores the record.'),
    redeemedAt: z.date().nullable().describe('When the transaction was made.'),
    erroredAt: z.date().nullable().describe('When the last attempt failed.'),
    traceback: z.string().nullable().describe('Why it failed, in words for support.'),
    transactionUuid: z.string().nullable().describe('Transaction that pays.'),
    created: z.date().describe('When the record was made.'),
    modified: z.date().describe('When it last changed.'),
  })
  .meta({ title: 'ForcedRedemption' });
export type ForcedRedemption = z.infer<typeof forcedRedemption>;

const executiveKeys = [
  'geag_first_name',
  'geag_last_name',
  'geag_date_of_birth',
  'fallback_external_fulfillment_reference_id',
] as const;

export const force = defineContract({
  summary:
    'Redeem for a learner although the enrollment deadline has passed. Repeating it answers with the same record.',
  kind: 'mutation',
  permission: policyPermissions.has_write_access,
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-redemption/{policyUuid}/force/' },
  input: z.object({
    policyUuid: uuid().describe('Budget to spend from.'),
    lmsUserId: lmsUserId().describe('Learner who will be enrolled.'),
    contentKey: courseRunKey().describe('Course run.'),
    contentPriceCents: z.int().min(0).max(2_147_483_647).describe('US cents; only assigned policies use it.'),
    waitToRedeem: z.boolean().default(false).describe('Only store the record; a later call without this redeems.'),
    metadata: z
      .partialRecord(z.enum(executiveKeys), z.string().max(255))
      .nullable()
      .optional()
      .describe('What executive education asks for; kept with the transaction only. Personal data.'),
  }),
  output: forcedRedemption,
  errors: [notRedeemable, spendRefused, redemptionPending, priceUnknown, policyLocked],
});

export const explain = defineContract({
  summary: 'Every check of a redemption with its inputs and verdict, for people who must explain it.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/policy-redemption/enterprise-customer/{enterpriseCustomerUuid}/explain/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer that would pay.'),
    policyUuid: uuid().describe('Policy of that customer.'),
    lmsUserId: lmsUserId().describe('Learner.'),
    contentKey: courseRunKey().describe('Course run.'),
  }),
  output: z.object({
    redeemable: z.boolean().describe('Whether a redemption would pass now.'),
    alreadyRedeemed: z.boolean().describe('Whether one stands already; a repeat would answer with it.'),
    reason: reasonCode().nullable().describe('What the learner would be told.'),
    checks: z
      .array(
        z
          .object({
            reason: reasonCode().describe('Reason that a failure of this check gives.'),
            rule: z.string().describe('Number of the rule in the documentation.'),
            verdict: z
              .enum(checkVerdicts)
              .describe('How the check ended; unknown when it needs a price and the content has none.'),
            inputs: z.record(z.string(), z.unknown()).describe('What it looked at.'),
          })
          .meta({ title: 'RedemptionCheck' }),
      )
      .describe('In the order in which they decide.'),
    lastDecisions: z
      .array(decision)
      .describe('The last decisions that are stored about this learner and content, newest first; at most five.'),
  }),
  errors: [],
});
