import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { uuid } from '../../kernel/ids.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { ordering } from '../../kernel/order.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';
import { license, licenseStatuses } from '../view-contract.ts';

export const ofPlan = { from: 'plan', field: 'planUuid' } as const;
export const planUuid = () => uuid().describe('Plan of the licences.');
export const BASE = '/api/v1/subscriptions/{planUuid}/licenses/';

/** Filters of the licences of a plan. */
export const filters = {
  status: z.string().max(255).optional().describe('Only these statuses: comma-separated; unknown words match nothing.'),
  ignoreNullEmails: z.boolean().optional().describe('Leave out revoked licences whose address was removed.'),
  search: z
    .string()
    .max(255)
    .optional()
    .describe('Only addresses that contain all of these parts, separated by blanks or commas.'),
};

export const list = defineContract({
  summary: 'Licences of a plan, by default by status and address.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: { ...ofPlan, isListing: true },
  rest: { method: 'GET', path: BASE },
  input: z.object({
    planUuid: planUuid(),
    ...filters,
    activeOnly: z.int().optional().describe('Not zero: only assigned and activated licences.'),
    ordering: ordering(['user_email', 'status', 'activation_date', 'last_remind_date'], 'status'),
    ...pageInput({ defaultSize: 100, maximumSize: 500 }),
  }),
  output: pageOutput(license),
  errors: [],
});

export const get = defineContract({
  summary: 'One licence of a plan.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: ofPlan,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{uuid}/` },
  input: z.object({ planUuid: planUuid(), uuid: uuid().describe('Licence.') }),
  output: license,
  errors: [],
});

export const overview = defineContract({
  summary: 'Number of licences of a plan by status, the largest first.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: ofPlan,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}overview/` },
  input: z.object({ planUuid: planUuid(), ...filters }),
  output: z.array(
    z
      .object({
        status: openEnum(licenseStatuses).describe('Status of the licences.'),
        count: z.int().min(1).describe('Number of licences.'),
      })
      .meta({ title: 'LicenseStatusCount' }),
  ),
  errors: [],
});
