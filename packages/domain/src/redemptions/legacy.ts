import { z } from 'zod';
import { type LegacyForm, legacyReply } from '../kernel/legacy.ts';
import { snakeCase, wireCodec } from '../kernel/wire.ts';
import { refusalBody, refusalOf } from '../policies/index.ts';
import * as contract from './contract.ts';
import { jsonObjectOf } from './json-object.ts';

const renamed = (shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]));
const policyCodec = wireCodec(contract.redeemablePolicy);

/** A refusal is a list with one reason object whose leaves are strings. */
const notRedeemable = {
  body: refusalBody,
  encode: (details: z.infer<typeof contract.notRedeemable.details>) => refusalOf(details.reasons),
};

const spendRefused = {
  body: z
    .object({ detail: z.string(), code: z.string(), subsidy_status_code: z.string() })
    // Other fields of a subsidy service are passed on.
    .catchall(z.unknown())
    .meta({ title: 'SpendRefusal' }),
  encode: (details: z.infer<typeof contract.spendRefused.details>) => ({
    ...(details.body === null ? {} : jsonObjectOf(details.body)),
    detail: details.detail,
    code: details.reason,
    subsidy_status_code: details.subsidyStatusCode,
  }),
};

const requestability = legacyReply(contract.canRequest, {
  body: z.union([
    z.object({
      content_key: z.string(),
      reason: z.string().nullable().describe('Null: nothing stands in the way.'),
      can_request: z.literal(true),
      requestable_subsidy_access_policy: z.object(renamed(contract.redeemablePolicy.shape)).meta({
        title: 'RequestablePolicyBody',
      }),
    }),
    z.object({ can_request: z.literal(false), reason: z.string(), existing_request: z.string().optional() }),
  ]),
  encode: ({ contentKey, reason, existingRequest, requestableSubsidyAccessPolicy: policy }) =>
    policy === null
      ? { can_request: false, reason, ...(existingRequest === null ? {} : { existing_request: existingRequest }) }
      : {
          content_key: contentKey,
          reason: null,
          can_request: true,
          requestable_subsidy_access_policy: policyCodec.encode(policy),
        },
});

export const legacy: Readonly<Record<string, LegacyForm>> = {
  canRequest: { reply: requestability },
  redeem: { errors: { not_redeemable: notRedeemable, spend_refused: spendRefused } },
  force: { errors: { not_redeemable: notRedeemable, spend_refused: spendRefused } },
};
