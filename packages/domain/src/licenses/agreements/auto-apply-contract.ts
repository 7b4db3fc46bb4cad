import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { defineError } from '../../kernel/errors.ts';
import { uuid } from '../../kernel/ids.ts';
import { permissions } from '../permissions.ts';
import { addressUnknown } from '../seats/learner-contract.ts';
import { learnerLicense } from '../view-contract.ts';
import { BASE } from './contract.ts';

const ASK = 'Please contact your administrator for further assistance.';

const refusal = <const C extends string>(code: C, message: string) =>
  defineError({ code, status: 422, message: `${message} ${ASK}`, details: z.object({}) });

export const noPlanToApply = refusal('no_plan_to_apply', 'License was unable to be automatically applied.');
export const notEligible = refusal('not_eligible', 'You are not eligible for an auto-applied license.');
export const noLicensesLeft = refusal('no_licenses_left', 'There are no licenses remaining in your organization.');

export const autoApply = defineContract({
  summary: 'Give the caller a licence of the plan whose licences are applied automatically; once per learner.',
  kind: 'mutation',
  permission: permissions.has_learner_or_admin_access,
  context: { from: 'agreement', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: `${BASE}{uuid}/auto-apply/` },
  input: z.object({ uuid: uuid().describe('Agreement.') }),
  output: learnerLicense,
  errors: [noPlanToApply, notEligible, noLicensesLeft, addressUnknown],
});
