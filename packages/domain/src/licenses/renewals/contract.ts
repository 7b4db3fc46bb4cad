import { z } from 'zod';
import { clipped } from '../../kernel/clip.ts';
import { defineContract, ofPlatform } from '../../kernel/contract.ts';
import { defineError } from '../../kernel/errors.ts';
import { instant } from '../../kernel/ids.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';
import { LONGEST, licenseTypesToCopy, renewal } from '../view-contract.ts';

export const BASE = '/api/v1/provisioning-admins/subscription-plan-renewals/';
const INT32 = 2_147_483_647;
const permission = permissions.has_provisioning_admin_access;
const renewalId = () => z.int().max(INT32).describe('Renewal.');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Uuid of a plan; refused in the words of the old service. */
const planReference = () =>
  z
    .string()
    .trim()
    .toLowerCase()
    .refine((text) => UUID.test(text), {
      error: ({ input }) => `“${clipped(String(input))}” is not a valid UUID.`,
    })
    .meta({ format: 'uuid' });

const lineItem = () =>
  z
    .string()
    .trim()
    .max(LONGEST.salesforceId)
    .refine((text) => text === '' || text.length >= LONGEST.salesforceId, {
      error: `Ensure this field has at least ${LONGEST.salesforceId} characters.`,
    })
    .describe('Line item of the sale in Salesforce: 18 characters, or blank.')
    .meta({ examples: ['00kDEMO0000000009A'] });

const fields = {
  renewedSubscriptionPlan: planReference().nullable().describe('Plan that follows; null lets the renewal create it.'),
  numberOfLicenses: z.int().min(1).max(INT32).describe('Licences of the plan that follows.'),
  effectiveDate: instant().describe('Start of the plan that follows.'),
  renewedExpirationDate: instant().describe('Expiration of the plan that follows.'),
  renewedPlanTitle: z
    .string()
    .trim()
    .max(LONGEST.title)
    .nullable()
    .describe('Title for the plan that follows; without one it is made from the title of the prior plan.'),
  licenseTypesToCopy: z.enum(licenseTypesToCopy).describe('Which licences are copied.'),
  disableAutoApplyLicenses: z.boolean().describe('Automatic licences end with the renewal.'),
  exemptFromBatchProcessing: z.boolean().describe('The scheduled job leaves it alone.'),
};

/** Another renewal begins or ends at one of the two plans. */
export const renewalConflict = defineError({
  code: 'renewal_conflict',
  status: 422,
  message: 'Another renewal exists for one of these plans.',
  details: z.object({ renewal: renewal.describe('The renewal that exists.') }),
});

/** Why a renewal cannot be processed now, in the order of the checks. */
export const refusalReasons = [
  'too_few_licenses',
  'renewed_plan_in_use',
  'more_licenses_than_requested',
  'title_taken',
] as const;

export const renewalRefused = defineError({
  code: 'renewal_refused',
  status: 422,
  message: 'The renewal cannot be processed.',
  details: z.object({ reason: openEnum(refusalReasons).describe('The first reason that applies.') }),
});

export const list = defineContract({
  summary: 'Renewals, in the order of their ids.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: BASE },
  input: z.object({
    salesforceOpportunityId: z.string().max(255).optional().describe('Only with this line item of Salesforce.'),
    priorSubscriptionPlan: planReference().optional().describe('Only the renewal of this plan.'),
    renewedSubscriptionPlan: planReference().optional().describe('Only the renewal that leads to this plan.'),
    ...pageInput({ defaultSize: 100, maximumSize: 100 }),
  }),
  output: pageOutput(renewal),
  errors: [],
});

export const get = defineContract({
  summary: 'One renewal.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: `${BASE}{id}/` },
  input: z.object({ id: renewalId() }),
  output: renewal,
  errors: [],
});

export const create = defineContract({
  summary: 'Plan the renewal of a plan, or find the one for the same two plans.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: BASE, status: 201 },
  input: z.object({
    priorSubscriptionPlan: planReference().describe('Plan that is renewed.'),
    salesforceOpportunityId: lineItem().nullable(),
    ...fields,
    renewedSubscriptionPlan: fields.renewedSubscriptionPlan.default(null),
    renewedPlanTitle: fields.renewedPlanTitle.default(null),
    licenseTypesToCopy: fields.licenseTypesToCopy.default('assigned_and_activated'),
    disableAutoApplyLicenses: fields.disableAutoApplyLicenses.default(false),
    exemptFromBatchProcessing: fields.exemptFromBatchProcessing.default(false),
  }),
  output: z.object({
    renewal: renewal.describe('The renewal, new or found.'),
    created: z.boolean().describe('False if it existed.'),
  }),
  errors: [renewalConflict],
});

export const update = defineContract({
  summary: 'Update fields of a renewal; omitted fields are not changed.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'PATCH', alsoMethods: ['PUT'], path: `${BASE}{id}/` },
  input: z
    .strictObject({ id: renewalId(), salesforceOpportunityId: lineItem(), ...fields })
    .partial()
    .required({ id: true }),
  output: renewal,
  errors: [],
});

export const remove = defineContract({
  summary: 'Delete a renewal; the plans and their licences stay.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'DELETE', path: `${BASE}{id}/`, status: 204 },
  input: z.object({ id: renewalId() }),
  output: z.object({ deleted: z.literal(true).describe('It is gone.') }),
  errors: [],
});

export const process = defineContract({
  summary: 'Process a renewal: create the plan that follows if needed, and copy the licences. Once only.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: `${BASE}{id}/process/`, status: 201 },
  input: z.object({ id: renewalId() }),
  output: z.object({
    renewal: renewal.describe('The renewal.'),
    processedNow: z.boolean().describe('False if it was processed before.'),
  }),
  errors: [renewalRefused],
});

const count = (what: string) => z.int().min(0).describe(what);

export const preview = defineContract({
  summary: 'What a renewal would do if it was processed now, and why it would be refused.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: `${BASE}{id}/preview/` },
  input: z.object({ id: renewalId() }),
  output: z
    .object({
      processed: z.boolean().describe('It was processed before: nothing would happen.'),
      refusal: z
        .object({
          reason: openEnum(refusalReasons).describe('The first reason that applies.'),
          message: z.string().describe('The same as a sentence.'),
        })
        .nullable()
        .describe('Why it would be refused; null if it would be processed.'),
      copied: z
        .object({
          assigned: count('Licences that wait for their activation.'),
          activated: count('Licences in use.'),
          total: count('Both.'),
        })
        .describe('Licences that would be copied.'),
      numberOfLicenses: count('Licences that the plan that follows would have.'),
      existingLicenses: count('Licences that it has already.'),
      addedLicenses: count('Licences that would be added.'),
      unassignedLicenses: count('Licences that would be free afterwards.'),
      renewedPlan: z
        .object({
          uuid: z.string().nullable().describe('The plan; null if it would be created.'),
          title: z.string().describe('Its title.'),
          startDate: z.date().describe('Its start.'),
          expirationDate: z.date().describe('Its expiration.'),
        })
        .describe('The plan that follows.'),
      autoApply: openEnum(['unchanged', 'follows', 'ends']).describe(
        'What becomes of automatic licences: the plan that follows gives them too, or nobody does any more.',
      ),
    })
    .meta({ title: 'RenewalPreview' }),
  errors: [],
});
