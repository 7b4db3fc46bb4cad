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
import { learnerCreditRequest } from '../requests/contract.ts';
import { checkVerdicts, decision } from './decision-contract.ts';

const lmsUserId = () => z.int().min(1).max(2_147_483_647);

/** A policy in replies to learners, with the URL to redeem. */
export const redeemablePolicy = z
  .object({
    uuid: z.string().describe('Identifies the policy.'),
    policyType: policyType.describe('Type of the policy; decides which rules apply.'),
    enterpriseCustomerUuid: z.string().describe('Customer that owns the policy.'),
    displayName: z.string().nullable().describe('Name for administrators.'),
    description: z.string().describe('Free text for administrators.'),
    active: z.boolean().describe('False is a soft delete.'),
    retired: z.boolean().describe('True stops redemptions.'),
    retiredAt: z.date().nullable().describe('Time of retirement.'),
    catalogUuid: z.string().describe('Catalog with the redeemable content.'),
    subsidyUuid: z.string().describe('Subsidy that pays.'),
    accessMethod: accessMethod.describe('Access method: direct redemption, assignment or request.'),
    spendLimit: z.int().nullable().describe('US cents; null means no limit.'),
    perLearnerEnrollmentLimit: z.int().nullable().describe('Redemptions per learner; null means no limit.'),
    perLearnerSpendLimit: z.int().nullable().describe('US cents per learner; null means no limit.'),
    lateRedemptionAllowedUntil: z.date().nullable().describe('Until this time, enrollment deadlines are ignored.'),
    assignmentConfiguration: z.string().nullable().describe('Assignment configuration.'),
    learnerCreditRequestConfig: z.string().nullable().describe('Browse & Request configuration.'),
    policyRedemptionUrl: z.string().describe('URL to redeem with POST.'),
    isLateRedemptionAllowed: z.boolean().describe('Whether enrollment deadlines are ignored now.'),
  })
  .meta({ title: 'RedeemablePolicy' });
export type RedeemablePolicy = z.infer<typeof redeemablePolicy>;

/** The learner cannot redeem the content through this policy, or any of the policies; nothing was spent. */
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

/** The ledger or the enrollment was refused; nothing was spent. */
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

/** The result of the redemption is not known yet. It will be completed; repeat the request to get the result. */
export const redemptionPending = defineError({
  code: 'redemption_pending',
  status: 503,
  message: 'The redemption is being completed. Repeat the request to get the result; nothing is charged twice.',
  details: z.object({ redemptionUuid: z.string().describe('The pending redemption.') }),
});

/** The content has no price, which a check requires. */
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
  summary: 'For each course run, whether and through which policy a learner can redeem it.',
  kind: 'query',
  permission: redemption,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/policy-redemption/enterprise-customer/{enterpriseCustomerUuid}/can-redeem/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer whose policies are checked.'),
    contentKey: z.array(courseRunKey()).min(1).max(200).describe('Course runs; at most 200.'),
    lmsUserId: lmsUserId().optional().describe('Another learner; ignored unless the caller is staff.'),
  }),
  output: z.array(
    z
      .object({
        contentKey: z.string().describe('The course run.'),
        listPrice: z
          .object({ usd: z.number().describe('US dollars.'), usdCents: z.int().describe('US cents.') })
          .meta({ title: 'ListPrice' })
          .nullable()
          .describe('Price, null if unknown.'),
        redemptions: z
          .array(
            transactionView
              .extend({ policyRedemptionStatusUrl: z.string().describe('URL to poll the state.') })
              .meta({ title: 'RedemptionTransaction' }),
          )
          .describe('The learner’s redemptions of this run, in any state.'),
        hasSuccessfulRedemption: z.boolean().describe('Whether one of them is successful and not reversed.'),
        redeemableSubsidyAccessPolicy: redeemablePolicy.nullable().describe('The policy to redeem through.'),
        canRedeem: z.boolean().describe('Whether the learner can redeem.'),
        reasons: z.array(reasonObject).describe('Reasons why not.'),
        displayReason: reasonObject.nullable().describe('The reason to show to the learner.'),
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
    enterpriseCustomerUuid: uuid().describe('Customer whose policies are checked.'),
    contentKey: z.string().min(1).max(255).describe('Course.'),
    lmsUserId: lmsUserId().optional().describe('Another learner; ignored unless the caller is staff.'),
  }),
  output: z.object({
    canRequest: z.boolean().describe('Whether a request can be made.'),
    reason: z.string().nullable().describe('Why not.'),
    contentKey: z.string().describe('Course.'),
    existingRequest: z.string().nullable().describe('The open request of the learner for the course.'),
    requestableSubsidyAccessPolicy: redeemablePolicy.nullable().describe('Budget to request the course from.'),
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
    enterpriseCustomerUuid: uuid().describe('Customer that owns the policy.'),
    lmsUserId: lmsUserId().describe('Learner: the caller, or for administrators any learner of the customer.'),
  }),
  output: z.array(
    redeemablePolicy
      .extend({
        remainingBalancePerUser: z
          .int()
          .nullable()
          .describe('Remaining credit of the learner: US cents, or number of redemptions for enrollment limits.'),
        remainingBalance: z.int().describe('Balance of the subsidy in US cents.'),
        subsidyExpirationDate: z.date().nullable().describe('End of the subsidy.'),
        learnerContentAssignments: z
          .array(learnerAssignment)
          .describe('Assignments of the learner, without those whose end was acknowledged.'),
        learnerRequests: z.array(learnerCreditRequest).describe('Requests of the learner.'),
        groupAssociations: z.array(z.string()).describe('Groups whose members can redeem.'),
      })
      .meta({ title: 'PolicyWithCredit' }),
  ),
  errors: [],
});

export const redeem = defineContract({
  summary: 'Spend a policy’s credit on one course run for one learner. Repeating it returns the first transaction.',
  kind: 'mutation',
  permission: redemption,
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-redemption/{policyUuid}/redeem/' },
  bodyLimitBytes: METADATA_BODY_LIMIT_BYTES,
  input: z.object({
    policyUuid: uuid().describe('Budget to spend from.'),
    lmsUserId: lmsUserId().describe('Learner to enroll: the caller, or for operators any learner of the customer.'),
    contentKey: courseRunKey().describe('Course run.'),
    metadata: metadata('Kept with the transaction.').optional(),
  }),
  output: transactionView,
  // A pending transaction is not final; callers poll its state at `transactionStatusApiUrl`.
  isFinal: ({ state }) => state !== 'created' && state !== 'pending',
  errors: [notRedeemable, spendRefused, redemptionPending, priceUnknown, policyLocked],
});

export const get = defineContract({
  summary: 'One redemption, as its transaction.',
  kind: 'query',
  permission: redemption,
  context: { from: 'transaction', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/policy-redemption/transactions/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Transaction.') }),
  output: transactionView,
  errors: [],
});

/** A redemption made by support for a learner, and its result. */
export const forcedRedemption = z
  .object({
    uuid: z.string().describe('Identifies the record.'),
    policyUuid: z.string().describe('Budget to spend from.'),
    lmsUserId: z.int().describe('Learner.'),
    courseRunKey: z.string().describe('Course run.'),
    contentPriceCents: z.int().describe('Price of the assignment in US cents; only for assigned policies.'),
    waitToRedeem: z.boolean().describe('True if only the record was stored.'),
    redeemedAt: z.date().nullable().describe('Time of the transaction.'),
    erroredAt: z.date().nullable().describe('Time of the last failed attempt.'),
    traceback: z.string().nullable().describe('Failure message for support.'),
    transactionUuid: z.string().nullable().describe('Transaction of the redemption.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
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
  summary: 'Redeem for a learner after the enrollment deadline. Repeating it returns the same record.',
  kind: 'mutation',
  permission: policyPermissions.has_write_access,
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-redemption/{policyUuid}/force/' },
  input: z.object({
    policyUuid: uuid().describe('Budget to spend from.'),
    lmsUserId: lmsUserId().describe('Learner to enroll.'),
    contentKey: courseRunKey().describe('Course run.'),
    contentPriceCents: z.int().min(0).max(2_147_483_647).describe('US cents; only for assigned policies.'),
    waitToRedeem: z.boolean().default(false).describe('Only store the record; call again without it to redeem.'),
    metadata: z
      .partialRecord(z.enum(executiveKeys), z.string().max(255))
      .nullable()
      .optional()
      .describe('Data that executive education requires; stored with the transaction only. Personal data.'),
  }),
  output: forcedRedemption,
  errors: [notRedeemable, spendRefused, redemptionPending, priceUnknown, policyLocked],
});

export const explain = defineContract({
  summary: 'Every check of a redemption with its inputs and verdict, to explain a refusal.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/policy-redemption/enterprise-customer/{enterpriseCustomerUuid}/explain/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer whose policies are checked.'),
    policyUuid: uuid().describe('Policy of that customer.'),
    lmsUserId: lmsUserId().describe('Learner.'),
    contentKey: courseRunKey().describe('Course run.'),
  }),
  output: z.object({
    redeemable: z.boolean().describe('Whether a redemption would pass now.'),
    alreadyRedeemed: z.boolean().describe('Whether a redemption exists; a redeem would return it.'),
    reason: reasonCode().nullable().describe('Message for the learner.'),
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
