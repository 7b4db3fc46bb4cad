import { z } from 'zod';
import { leavesAsText } from '../kernel/legacy.ts';
import { wireCodec } from '../kernel/wire.ts';
import { type ReasonObject, reasonObject } from './reason-contract.ts';

const reasons = wireCodec(z.array(reasonObject));

/** REST body of a refusal with reasons: every leaf is a string. */
export const refusalBody = z
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

export const refusalOf = (all: readonly ReasonObject[]) => leavesAsText(reasons.encode(all));
