import { z } from 'zod';
import { defineContract, ofPlatform } from '../../kernel/contract.ts';
import { uuid } from '../../kernel/ids.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { staffPermission as permission } from '../permissions.ts';
import { LONGEST, licenseStatuses, planSummary } from '../view-contract.ts';

const email = () => z.string().min(1).max(LONGEST.email).describe('Address of the holder, in any case of its letters.');

const about = {
  status: openEnum(licenseStatuses).describe('Status of the licence.'),
  assignedDate: z.date().nullable().describe('Time of the assignment.'),
  activationDate: z.date().nullable().describe('Time of the activation.'),
  revokedDate: z.date().nullable().describe('Time of the revocation.'),
  lastRemindDate: z.date().nullable().describe('Time of the last mail about the assignment.'),
  subscriptionPlanTitle: z.string().describe('Title of the plan.'),
  subscriptionPlanExpirationDate: z.date().describe('End of the plan.'),
};

/** A licence as support staff sees it who looks up an address. */
export const staffLicense = z
  .object({ ...about, activationLink: z.string().describe('Link with which the holder activates the licence.') })
  .meta({ title: 'StaffLicense' });

/** A licence of one learner as support staff sees it. */
export const adminLicense = z
  .object({
    uuid: z.string().describe('Identifies the licence.'),
    userEmail: z.string().nullable().describe('Address of the holder. Personal data.'),
    ...about,
    subscriptionPlan: planSummary.describe('Plan of the licence.'),
  })
  .meta({ title: 'AdminLicense' });

/** More licences than this of one address are not shown. */
export const MOST_LICENSES = 1_000;

export const lookUp = defineContract({
  summary: 'Licences of an address in all plans of all customers, for support staff; the newest assignment first.',
  kind: 'query',
  permission,
  context: ofPlatform,
  denial: 'plain',
  rest: { method: 'POST', path: '/api/v1/staff_lookup_licenses/' },
  input: z.object({ userEmail: email() }),
  output: z.array(staffLicense).max(MOST_LICENSES),
  errors: [],
});

export const listOfLearner = defineContract({
  summary: 'Licences of an address in all plans of a customer, for support staff; the newest assignment first.',
  kind: 'query',
  permission,
  context: ofPlatform,
  denial: 'plain',
  rest: { method: 'GET', path: '/api/v1/admin-license-view/' },
  input: z.object({
    userEmail: email(),
    enterpriseCustomerUuid: uuid().describe('Customer of the plans.'),
    ...pageInput({ defaultSize: 100, maximumSize: 100 }),
  }),
  output: pageOutput(adminLicense),
  errors: [],
});
