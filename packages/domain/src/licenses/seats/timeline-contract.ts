import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { uuid } from '../../kernel/ids.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { permissions } from '../permissions.ts';
import { BASE, ofPlan, planUuid } from './contract.ts';

export const licenseActions = [
  'created',
  'assigned',
  'activated',
  'revoked',
  'renewed',
  'reminded',
  'released',
  'address_changed',
  'transferred',
  'deleted',
  'changed',
] as const;
export type LicenseAction = (typeof licenseActions)[number];

export const timeline = defineContract({
  summary: 'What happened to a licence, the latest first, from the audit trail.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: ofPlan,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{uuid}/timeline/` },
  input: z.object({ planUuid: planUuid(), uuid: uuid().describe('Licence.') }),
  output: z.array(
    z
      .object({
        at: z.date().describe('When.'),
        actionType: openEnum(licenseActions).describe('What happened.'),
        actorType: openEnum(['admin', 'learner', 'system']).describe('Who did it.'),
        actorLmsUserId: z.int().nullable().describe('Id of the person in the LMS; null for jobs and for staff.'),
        operation: z.string().describe('The operation or job.'),
        source: z.string().describe('How the change came: `rest`, `trpc`, `job`, `event`.'),
        correlationId: z.string().describe('Shared by everything that followed from one call.'),
        learnerLmsUserId: z.int().nullable().describe('The learner then, if known and not retired.'),
        sentence: z.string().describe('The same for people.'),
      })
      .meta({ title: 'LicenseTimelineItem' }),
  ),
  errors: [],
});
