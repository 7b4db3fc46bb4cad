import { z } from 'zod';
import { type LegacyForm, leavesAsText } from '../kernel/legacy.ts';
import { wireCodec } from '../kernel/wire.ts';
import * as contract from './contract.ts';

const reasons = wireCodec(z.array(contract.reasonObject));

const refusalBody = z
  .array(
    z
      .object({
        reason: z.string(),
        user_message: z.string(),
        metadata: z.object({
          enterprise_administrators: z.array(
            z.object({ email: z.string(), lms_user_id: z.string() }).meta({ title: 'AdministratorAsText' }),
          ),
        }),
        policy_uuids: z.array(z.string()),
      })
      .meta({ title: 'RedemptionRefusal' }),
  )
  .meta({ title: 'RedemptionRefusals' });

/** A refusal is a list with one reason object whose leaves are text. */
const notRedeemable = {
  body: refusalBody,
  encode: (details: z.infer<typeof contract.notRedeemable.details>) => leavesAsText(reasons.encode(details.reasons)),
};

const spendRefused = {
  body: z
    .object({ detail: z.string(), code: z.string(), subsidy_status_code: z.string() })
    .meta({ title: 'SpendRefusal' }),
  encode: (details: z.infer<typeof contract.spendRefused.details>) => ({
    detail: details.detail,
    code: details.reason,
    subsidy_status_code: details.subsidyStatusCode,
  }),
};

export const legacy: Readonly<Record<string, LegacyForm>> = {
  redeem: { errors: { not_redeemable: notRedeemable, spend_refused: spendRefused } },
  force: { errors: { not_redeemable: notRedeemable, spend_refused: spendRefused } },
};
