import { z } from 'zod';
import { clipped } from '../../kernel/clip.ts';
import { defineContract } from '../../kernel/contract.ts';
import { defineError } from '../../kernel/errors.ts';
import { uuid } from '../../kernel/ids.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';
import { agreementSummary, learnerLicense, license, licenseStatuses } from '../view-contract.ts';
import { filters, ofPlan, planUuid } from './contract.ts';

const forLearners = { permission: permissions.has_learner_or_admin_access } as const;
const customer = () => uuid().describe('Customer.');
const OWN = '/api/v1/subscriptions/{planUuid}/license/';

export const listOwn = defineContract({
  ...forLearners,
  summary: 'The caller’s licences of a plan, without revoked ones.',
  kind: 'query',
  context: { ...ofPlan, isListing: true },
  rest: { method: 'GET', path: OWN },
  input: z.object({ planUuid: planUuid(), ...filters, ...pageInput({ defaultSize: 100, maximumSize: 100 }) }),
  output: pageOutput(license),
  errors: [],
});

export const getOwn = defineContract({
  ...forLearners,
  summary: 'One of the caller’s licences of a plan.',
  kind: 'query',
  context: ofPlan,
  denial: 'Missing',
  rest: { method: 'GET', path: `${OWN}{uuid}/` },
  input: z.object({ planUuid: planUuid(), uuid: uuid().describe('Licence.') }),
  output: license,
  errors: [],
});

export const listMine = defineContract({
  ...forLearners,
  summary: 'The caller’s licences of a customer, each with its plan and agreement.',
  kind: 'query',
  context: { from: 'customer', field: 'enterpriseCustomerUuid', isListing: true },
  rest: { method: 'GET', path: '/api/v1/learner-licenses/' },
  input: z.object({
    enterpriseCustomerUuid: customer(),
    activePlansOnly: z.boolean().default(true).describe('Leave out licences of plans that are not active.'),
    currentPlansOnly: z.boolean().default(true).describe('Leave out licences of plans that are over or not begun.'),
    includeRevoked: z.boolean().default(false).describe('Also revoked licences.'),
    ...filters,
    ...pageInput({ defaultSize: 100, maximumSize: 100 }),
  }),
  output: pageOutput(learnerLicense).extend({
    customerAgreement: agreementSummary.nullable().describe('Agreement of the customer, if the caller may see it.'),
  }),
  errors: [],
});

export const addressUnknown = defineError({
  code: 'address_unknown',
  status: 400,
  message: '`email` is required and could not be found in your jwt',
  details: z.object({}),
});

export const accountUnknown = defineError({
  code: 'account_unknown',
  status: 400,
  message: '`user_id` is required and could not be found in your jwt',
  details: z.object({}),
});

export const followAddress = defineContract({
  ...forLearners,
  summary: 'Move the caller’s licences of a customer to the address that the account has now.',
  kind: 'mutation',
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v1/learner-licenses/follow-address/' },
  input: z.object({ enterpriseCustomerUuid: customer() }),
  output: z.object({
    moved: z.int().min(0).describe('Licences that have the new address now.'),
    kept: z
      .int()
      .min(0)
      .describe('Licences that keep theirs, because the new address has another licence of the same plan.'),
  }),
  errors: [addressUnknown, accountUnknown],
});

export const activationOfRevoked = defineError({
  code: 'activation_of_revoked',
  status: 422,
  message: 'Cannot activate a revoked license.',
  details: z.object({ licenseUuid: z.string().describe('The revoked licence.') }),
});

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A uuid, refused in words of its own. */
const activationKey = () =>
  z
    .string()
    .toLowerCase()
    .refine((text) => GUID.test(text), {
      error: ({ input }) => `${clipped(String(input))} is not a valid activation key.`,
    })
    .meta({ examples: ['0c7fb5a3-7a3c-4a52-9b3b-52a5d3e1a001'] });

export const activate = defineContract({
  ...forLearners,
  summary: 'Activate the caller’s licence with the key of its activation link. Repeating it changes nothing.',
  kind: 'mutation',
  context: { from: 'license', field: 'activationKey', isListing: true },
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v1/license-activation/' },
  input: z.object({ activationKey: activationKey().describe('Key of the activation link.') }),
  output: learnerLicense,
  errors: [addressUnknown, accountUnknown, activationOfRevoked],
});

const courseKey = () =>
  z
    .string()
    .min(1)
    .max(255)
    .describe('Course or course run.')
    .meta({ examples: ['course-v1:edX+DemoX+2T2026'] });

export const notSubsidized = defineError({
  code: 'not_subsidized',
  status: 404,
  message: 'This course was not found in the subscription plan catalogs associated with the specified enterprise UUID.',
  details: z.object({}),
});

export const courseKeyMissing = defineError({
  code: 'course_key_missing',
  status: 400,
  message: 'You must supply the course_key query parameter',
  details: z.object({}),
});

export const checksumUnavailable = defineError({
  code: 'checksum_unavailable',
  status: 503,
  message: 'This installation has no key to sign subsidies.',
  details: z.object({}),
});

export const subsidy = defineContract({
  ...forLearners,
  summary: 'The subsidy that the caller’s licence gives for a course.',
  kind: 'query',
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: '/api/v1/license-subsidy/' },
  input: z.object({
    enterpriseCustomerUuid: customer().optional(),
    courseKey: courseKey().optional(),
  }),
  output: z.object({
    discountType: z.literal('percentage').describe('Always `percentage`.'),
    discountValue: z.int().min(0).max(100).describe('Per cent of the price; 100.'),
    status: openEnum(licenseStatuses).describe('Status of the licence.'),
    subsidyId: z.string().describe('The licence.'),
    startDate: z.date().describe('Start of its plan.'),
    expirationDate: z.date().describe('Expiration of its plan.'),
    subsidyChecksum: z.string().describe('Signature over learner, course and licence.'),
  }),
  errors: [notSubsidized, courseKeyMissing, checksumUnavailable],
});

/** Why a licence does not give the course, in the order in which they are asked. */
export const verdicts = [
  'applies',
  'another_comes_first',
  'revoked',
  'not_activated',
  'plan_not_active',
  'plan_not_started',
  'plan_expired',
  'course_not_in_catalog',
  'catalog_did_not_answer',
] as const;

export const applicable = defineContract({
  ...forLearners,
  summary: 'Which of the caller’s licences gives a course, and why the others do not.',
  kind: 'query',
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: '/api/v1/license-subsidy/applicable/' },
  input: z.object({ enterpriseCustomerUuid: customer(), courseKey: courseKey() }),
  output: z.object({
    licenseUuid: z.string().nullable().describe('The licence that gives the course; null if there is none.'),
    licenses: z
      .array(
        z
          .object({
            licenseUuid: z.string().describe('Licence of the caller.'),
            subscriptionPlanUuid: z.string().describe('Its plan.'),
            subscriptionPlanTitle: z.string().describe('Title of the plan.'),
            expirationDate: z.date().describe('Expiration of the plan.'),
            priority: z.int().describe('Priority of the plan; higher ones come first.'),
            verdict: openEnum(verdicts).describe(
              'Whether the licence gives the course, or the first reason against it.',
            ),
          })
          .meta({ title: 'LicenseApplicability' }),
      )
      .describe('In the order in which they are tried: priority of the plan, then the latest expiration.'),
  }),
  errors: [],
});
