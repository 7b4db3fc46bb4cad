import { z } from 'zod';
import { encodePlainPage, plainEnvelope } from '../../kernel/envelope.ts';
import type { FieldErrors } from '../../kernel/errors.ts';
import { type LegacyForm, legacyReply, messagesByField } from '../../kernel/legacy.ts';
import { snakeCase, wireCodec } from '../../kernel/wire.ts';
import { planSummary } from '../view-contract.ts';
import * as contract from './contract.ts';

const renamed = (shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]));

const adminLicenseBody = z
  .object({
    ...renamed(contract.adminLicense.shape),
    subscription_plan: z.object(renamed(planSummary.shape)).meta({ title: 'SubscriptionPlanSummary' }),
  })
  .meta({ title: 'AdminLicense' });

const encodeAdminLicense = wireCodec(contract.adminLicense).encode;

/** Messages about a field without a value. */
const MISSING = ['This field is required.', 'This field may not be null.', 'This field may not be blank.'];

/** Fields without a value are answered with a text, in the order of the fields. */
const missingAsText = (fields: readonly { readonly name: string; readonly article: string }[]) => ({
  body: z.union([z.string(), messagesByField]).meta({
    title: 'LicenseLookupRefusal',
    description: 'A text for a field without a value, else messages by field.',
  }),
  encode: ({ fields: found }: { fields: FieldErrors }) => {
    const missing = fields.find(({ name }) => {
      const messages = found[name];
      return Array.isArray(messages) && messages.some((message) => MISSING.includes(message));
    });
    return missing ? `${missing.article} \`\`${missing.name}\`\` is required in the request data` : found;
  },
});

const userEmail = { name: 'user_email', article: 'A' };

export const legacy: Readonly<Record<string, LegacyForm>> = {
  lookUp: {
    errors: {
      invalid_input: missingAsText([userEmail]),
      not_found: { body: z.undefined(), encode: () => undefined },
    },
  },
  listOfLearner: {
    reply: legacyReply(contract.listOfLearner, {
      body: plainEnvelope(adminLicenseBody),
      encode: (page, request) => encodePlainPage(page, request, encodeAdminLicense),
    }),
    errors: { invalid_input: missingAsText([userEmail, { name: 'enterprise_customer_uuid', article: 'An' }]) },
  },
};
