import { z } from 'zod';
import { encodePage, encodePlainPage, pageEnvelope, plainEnvelope } from '../../kernel/envelope.ts';
import type { FieldErrors } from '../../kernel/errors.ts';
import type { RestRequest } from '../../kernel/legacy.ts';
import { type LegacyError, type LegacyForm, type LegacyReply, legacyReply } from '../../kernel/legacy.ts';
import type { Page } from '../../kernel/page.ts';
import { snakeCase, wireCodec } from '../../kernel/wire.ts';
import { encodeLicense, licenseBody } from '../legacy.ts';
import type { License } from '../view-contract.ts';
import { agreementSummary, learnerLicense, license, planSummary } from '../view-contract.ts';
import * as changes from './change-contract.ts';
import * as ofLearner from './learner-contract.ts';

/** A refusal whose body is its message as a JSON string. */
export const bareMessage: LegacyError = { body: z.string(), encode: (_details, message) => message };

const failures = z
  .object({
    unsuccessful_revocations: z
      .array(
        z
          .object({
            error: z.string(),
            error_response_status: z.int().optional(),
            user_email: z.string().optional(),
          })
          .meta({ title: 'RevocationFailure' }),
      )
      .describe('Why nothing was revoked.'),
  })
  .meta({ title: 'RevocationRefusal' });
const wholeRefused: LegacyError = {
  body: failures,
  encode: (_details, message) => ({ unsuccessful_revocations: [{ error: message }] }),
};

const encodeFailures = wireCodec(changes.nothingRevoked.details).encode;

const renamed = (shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]));

const summaryBody = z.object(renamed(agreementSummary.shape)).meta({ title: 'CustomerAgreementSummary' });
const learnerBody = z
  .object({
    ...renamed(license.shape),
    customer_agreement: summaryBody.describe('Agreement of the plan.'),
    subscription_plan: z
      .object(renamed(planSummary.shape))
      .meta({ title: 'SubscriptionPlanSummary' })
      .describe('Plan of the licence.'),
  })
  .meta({ title: 'LearnerLicense' });
const encodeLearner = wireCodec(learnerLicense).encode;
const encodeSummary = wireCodec(agreementSummary.nullable()).encode;

const learnerPage: LegacyReply<z.infer<typeof ofLearner.listMine.output>> = {
  body: pageEnvelope(learnerBody)
    .extend({
      customer_agreement: summaryBody.nullable().describe('Agreement of the customer, if the caller may see it.'),
    })
    .meta({ title: 'LearnerLicensePage' }),
  encode: (page, request) => ({
    ...encodePage(page, request, encodeLearner),
    customer_agreement: encodeSummary(page.customerAgreement),
  }),
};

/** The message of a single missing field in the old service's words; other problems keep the usual form. */
const missingField = (field: string, text: unknown): LegacyError => ({
  body: z.unknown().meta({ title: `MissingOr${snakeCase(field)}`, description: 'A sentence, or messages by field.' }),
  encode: ({ fields }: { fields: FieldErrors }) => {
    const messages = fields[field];
    return Array.isArray(messages) && messages.includes('This field is required.') ? text : fields;
  },
});

export const legacy: Readonly<Record<string, LegacyForm>> = {
  assign: { errors: { not_enough_licenses: bareMessage } },
  remind: { errors: { nothing_pending: bareMessage, not_found: bareMessage } },
  remindAll: { errors: { nothing_pending: bareMessage, not_found: bareMessage } },
  bulkRevoke: {
    reply: legacyReply(changes.bulkRevoke, {
      body: z.object({
        successful_revocations: z.array(
          z.object({ license_uuid: z.string(), original_status: z.string(), user_email: z.string() }),
        ),
        unsuccessful_revocations: failures.shape.unsuccessful_revocations,
      }),
      encode: wireCodec(changes.bulkRevoke.output).encode,
      status: ({ unsuccessfulRevocations }) => (unsuccessfulRevocations.length > 0 ? 207 : 200),
      statuses: [200, 207],
    }),
    errors: {
      nothing_revoked: { body: failures, encode: (details) => encodeFailures(details) },
      not_enough_revocations: wholeRefused,
      not_found: wholeRefused,
    },
  },
  revokeAll: { errors: { revocation_is_capped: bareMessage, not_found: bareMessage } },
  listOwn: {
    reply: legacyReply(ofLearner.listOwn, {
      body: plainEnvelope(licenseBody).meta({ title: 'OwnLicensePage' }),
      encode: (page: Page<License>, request: RestRequest) => encodePlainPage(page, request, encodeLicense),
    }),
  },
  listMine: {
    reply: legacyReply(ofLearner.listMine, learnerPage),
    onlyTrueIsTrue: ['activePlansOnly', 'currentPlansOnly', 'includeRevoked'],
    errors: { invalid_input: missingField('enterprise_customer_uuid', 'missing enterprise_customer_uuid query param') },
  },
  activate: {
    query: {
      activation_key: {
        field: 'activationKey',
        description: 'Key of the activation link.',
        example: '0c7fb5a3-7a3c-4a52-9b3b-52a5d3e1a001',
      },
    },
    errors: {
      activation_of_revoked: bareMessage,
      invalid_input: {
        body: z.unknown().meta({ title: 'ActivationKeyRefusal', description: '`detail` about the key.' }),
        encode: ({ fields }: { fields: FieldErrors }) => {
          const messages = fields.activation_key;
          if (!Array.isArray(messages)) return fields;
          return messages.includes('This field is required.')
            ? { detail: 'activation_key is a required parameter' }
            : { detail: messages[0] };
        },
      },
    },
  },
  subsidy: { errors: { not_subsidized: bareMessage, course_key_missing: bareMessage } },
};

export const autoApplyLegacy: LegacyForm = {
  errors: { no_plan_to_apply: bareMessage, not_eligible: bareMessage, no_licenses_left: bareMessage },
};
