import { z } from 'zod';
import { defineContract, ofPlatform } from '../../kernel/contract.ts';
import { defineError } from '../../kernel/errors.ts';
import { uuid } from '../../kernel/ids.ts';
import { agreementPermissions } from '../permissions.ts';
import { agreement, LONGEST } from '../view-contract.ts';

export const PROVISIONING_BASE = '/api/v1/provisioning-admins/customer-agreement/';
const INT32 = 2_147_483_647;
const permission = agreementPermissions.has_provisioning_admin_access;
const agreementUuid = () => uuid().describe('Agreement.');

const writable = {
  enterpriseCustomerSlug: z
    .string()
    .trim()
    .min(1)
    .max(LONGEST.slug)
    .nullable()
    .optional()
    .describe('Slug of the customer in links to the learner portal.'),
  defaultEnterpriseCatalogUuid: uuid().nullable().optional().describe('Catalog of new plans that name none.'),
  disableExpirationNotifications: z.boolean().optional().describe('Learners hear nothing of expirations.'),
  disableOnboardingNotifications: z.boolean().optional().describe('Learners get no mail about new licences.'),
  enableAutoAppliedSubscriptionsWithUniversalLink: z
    .boolean()
    .optional()
    .describe('Learners who came by the universal link get licences automatically.'),
};

/** The customer of an agreement never changes: its plans and licences belong to that customer. */
export const customerIsFixed = defineError({
  code: 'customer_is_fixed',
  status: 400,
  message: 'enterprise_customer_uuid cannot be updated',
  details: z.object({}),
});

export const create = defineContract({
  summary: 'Create the agreement of a customer; there is one per customer.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: PROVISIONING_BASE, status: 201 },
  input: z.object({ enterpriseCustomerUuid: uuid().describe('Customer.'), ...writable }),
  output: agreement,
  errors: [],
});

export const getForProvisioning = defineContract({
  summary: 'One customer agreement with all its plans, for provisioning.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: `${PROVISIONING_BASE}{uuid}/` },
  input: z.object({ uuid: agreementUuid() }),
  output: agreement,
  errors: [],
});

export const update = defineContract({
  summary: 'Update fields of an agreement; omitted fields are not changed.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'PATCH', alsoMethods: ['PUT'], path: `${PROVISIONING_BASE}{uuid}/` },
  input: z.object({
    uuid: agreementUuid(),
    ...writable,
    enterpriseCustomerUuid: z.unknown().optional().describe('Cannot be changed: any value is refused.'),
  }),
  output: agreement,
  errors: [customerIsFixed],
});

const percentage = () => z.int().min(1).max(100).nullable().optional();

/** What operators decide about an agreement, and its full present state. */
export const agreementSettings = z
  .object({
    uuid: z.string().describe('Agreement.'),
    enterpriseCustomerName: z.string().nullable().describe('Name of the customer in mails and events.'),
    daysBeforePurge: z.int().describe('Days after which unused and expired licences lose their address.'),
    hasCustomLicenseExpirationMessaging: z.boolean().describe('Whether the texts below replace the standard text.'),
    modalHeaderText: z.string().nullable().describe('Header of the dialog that learners see after the expiration.'),
    expiredSubscriptionModalMessaging: z.string().nullable().describe('Text of the dialog, safe HTML.'),
    buttonLabelInModal: z.string().nullable().describe('Label of the button.'),
    urlForButtonInModal: z.string().nullable().describe('Where the button leads.'),
    enableAutoScalingOfCurrentPlan: z.boolean().describe('Whether the current plan grows by itself.'),
    autoScalingMaxLicenses: z.int().nullable().describe('Most licences that a plan grows to.'),
    autoScalingThresholdPercentage: z.int().nullable().describe('Allocated share above which the plan grows.'),
    autoScalingIncrementPercentage: z.int().nullable().describe('By how much it grows.'),
  })
  .meta({ title: 'CustomerAgreementSettings' });

const text = (longest: number) => z.string().trim().max(longest).nullable().optional();

export const configure = defineContract({
  summary: 'Set what operators decide about an agreement: expiration texts, automatic growth, retention.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'PATCH', path: `${PROVISIONING_BASE}{uuid}/settings/` },
  input: z.object({
    uuid: agreementUuid(),
    enterpriseCustomerName: text(255).describe('Name of the customer in mails and events.'),
    daysBeforePurge: z.int().min(1).max(36_500).optional().describe('Days until unused licences lose their address.'),
    hasCustomLicenseExpirationMessaging: z
      .boolean()
      .optional()
      .describe(
        'Whether the texts replace the standard text; then all four are required, otherwise all must be blank.',
      ),
    modalHeaderText: text(512).describe('Header of the dialog.'),
    expiredSubscriptionModalMessaging: text(20_000).describe('Text of the dialog; HTML is reduced to inline markup.'),
    buttonLabelInModal: text(255).describe('Label of the button.'),
    urlForButtonInModal: text(512).describe('Where the button leads: http or https.'),
    enableAutoScalingOfCurrentPlan: z.boolean().optional().describe('Let the current plan grow by itself.'),
    autoScalingMaxLicenses: z.int().min(1).max(INT32).nullable().optional().describe('Most licences of a plan.'),
    autoScalingThresholdPercentage: percentage().describe('Allocated share above which the plan grows.'),
    autoScalingIncrementPercentage: percentage().describe('By how much it grows.'),
  }),
  output: agreementSettings,
  errors: [],
});

/** Licences can only be applied automatically from a plan that learners can use now. */
export const planNotApplicable = defineError({
  code: 'plan_not_applicable',
  status: 422,
  message: 'Only an active and current plan of the agreement can give licences automatically.',
  details: z.object({ plan: z.string().describe('The plan that was chosen.') }),
});

export const setAutoAppliedPlan = defineContract({
  summary: 'Choose the plan of an agreement whose licences learners get automatically, or none.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'PUT', path: `${PROVISIONING_BASE}{uuid}/auto-applied-plan/` },
  input: z.object({
    uuid: agreementUuid(),
    subscriptionPlan: uuid().nullable().describe('Plan, active and current; null for none.'),
  }),
  output: agreement,
  errors: [planNotApplicable],
});
