import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { PLAIN_EMAIL } from '../../kernel/email.ts';
import { defineError } from '../../kernel/errors.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { permissions } from '../permissions.ts';
import { LONGEST, licenseStatuses } from '../view-contract.ts';
import { BASE, ofPlan, planUuid } from './contract.ts';

/** Most learners of one request. */
export const MOST_LEARNERS = 1_000;
const LONGEST_TEXT = 5_000;

const address = z
  .string()
  .trim()
  .max(LONGEST.email)
  .pipe(z.email({ pattern: PLAIN_EMAIL }));
const addresses = () =>
  z
    .array(address)
    .min(1)
    .max(MOST_LEARNERS)
    .meta({ examples: [['learner-1000@demo.example']] });
const texts = {
  greeting: z.string().max(LONGEST_TEXT).default('').describe('First words of the mail.'),
  closing: z.string().max(LONGEST_TEXT).default('').describe('Last words of the mail.'),
};
const ofAdministrators = {
  kind: 'mutation',
  permission: permissions.has_admin_access,
  context: ofPlan,
  denial: 'Missing',
  bodyLimitBytes: 512 * 1024,
} as const;

export const notEnoughLicenses = defineError({
  code: 'not_enough_licenses',
  status: 400,
  message: 'There are not enough licenses that can be assigned to complete your request.',
  details: z.object({
    attempted: z.int().min(0).describe('Learners who need a licence.'),
    available: z.int().min(0).describe('Free licences of the plan.'),
  }),
});

/** A contact in Salesforce; blank is none. */
const contact = z
  .string()
  .trim()
  .max(LONGEST.salesforceId)
  .refine((text) => text === '' || text.length >= LONGEST.salesforceId, {
    error: `Ensure this field has at least ${LONGEST.salesforceId} characters.`,
  })
  .nullable();

export const assign = defineContract({
  ...ofAdministrators,
  summary: 'Assign a licence to each of these learners: to all of them or, if there are too few licences, to none.',
  rest: { method: 'POST', path: `${BASE}assign/` },
  input: z
    .object({
      planUuid: planUuid(),
      userEmails: addresses().describe('Addresses of the learners, compared ignoring case. Personal data.'),
      ...texts,
      notifyUsers: z.boolean().default(true).describe('Whether the learners get a mail with their activation link.'),
      userSfids: z
        .array(contact)
        .max(MOST_LEARNERS)
        .refine((contacts) => contacts.length > 0, { error: 'No Salesforce Ids provided.' })
        .optional()
        .describe('Contacts of the learners in Salesforce, in the order of the addresses; blank or null for none.')
        .meta({ examples: [['003000000000000AAA']] }),
    })
    .refine(({ userEmails, userSfids }) => userSfids === undefined || userSfids.length === userEmails.length, {
      error: 'Number of Salesforce IDs did not match number of provided user emails.',
    }),
  output: z.object({
    numSuccessfulAssignments: z.int().min(0).describe('Licences that were assigned.'),
    numAlreadyAssociated: z.int().min(0).describe('Learners who have a licence of the plan already.'),
    licenseAssignments: z
      .array(
        z
          .object({
            userEmail: z.string().describe('Address of the learner. Personal data.'),
            license: z.string().describe('The licence.'),
          })
          .meta({ title: 'LicenseAssignment' }),
      )
      .describe('Who got which licence, in the order of the request.'),
  }),
  errors: [notEnoughLicenses],
});

const filterNames = ['user_email', 'status_in'] as const;
const filter = z
  .object({
    name: z.string().max(64).describe('`user_email` for a part of the address, `status_in` for a list of statuses.'),
    filterValue: z
      .union([
        z.string().max(LONGEST.email),
        // Named, because generators of clients cannot put a nameless list into a union.
        z.array(z.string().max(64)).max(64).meta({ title: 'LicenseStatusList' }),
      ])
      .describe('The value.'),
  })
  .meta({ title: 'LicenseSelection' });
export type Selection = z.infer<typeof filter>;

const learners = {
  userEmails: addresses().optional().describe('Addresses of the learners. Personal data.'),
  filters: z
    .array(filter)
    .min(1)
    .max(16)
    .optional()
    .describe('Instead of addresses: what all of the licences have. Of several filters with one name the last counts.'),
};

/** What is wrong with the choice of licences. */
function problemOf(input: { userEmails?: unknown; filters?: readonly Selection[] | undefined }): string | null {
  const { userEmails, filters } = input;
  if (userEmails === undefined && filters === undefined) return 'Either user_emails or filters must be provided.';
  if (userEmails !== undefined && filters !== undefined)
    return 'Either user_emails or filters must be provided, but not both.';
  for (const { name, filterValue } of filters ?? []) {
    if (!filterNames.some((known) => known === name))
      return "Malformed filters, supported filters are ['user_email', 'status_in'].";
    if (name === 'user_email' && typeof filterValue !== 'string')
      return 'Malformed filters, user_email must be a string.';
    if (name === 'status_in' && typeof filterValue === 'string')
      return 'Malformed filters, status_in must be a list of strings.';
  }
  return null;
}

const oneChoice = (
  input: { userEmails?: unknown; filters?: readonly Selection[] | undefined },
  ctx: z.RefinementCtx,
) => {
  const message = problemOf(input);
  if (message !== null) ctx.addIssue({ code: 'custom', message, path: [], input: '-' });
};

/** Nobody waits for an activation, or one of the named learners does not. */
export const nothingPending = defineError({
  code: 'nothing_pending',
  status: 404,
  message: 'Could not find any licenses pending activation',
  details: z.object({
    userEmail: z.string().nullable().describe('The named learner without a pending licence. Personal data.'),
  }),
});

export const remind = defineContract({
  ...ofAdministrators,
  summary: 'Remind learners of the licences that they have not activated yet.',
  rest: { method: 'POST', path: `${BASE}remind/`, status: 204 },
  input: z.object({ planUuid: planUuid(), ...learners, ...texts }).superRefine(oneChoice),
  output: z.object({}).meta({ title: 'Reminded' }),
  errors: [nothingPending],
});

export const remindAll = defineContract({
  ...ofAdministrators,
  summary: 'Remind all learners of a plan who have not activated their licence yet.',
  rest: { method: 'POST', path: `${BASE}remind-all/`, status: 204 },
  input: z.object({ planUuid: planUuid(), ...texts }),
  output: z.object({}).meta({ title: 'AllReminded' }),
  errors: [nothingPending],
});

const revocation = z
  .object({
    licenseUuid: z.string().describe('The licence.'),
    originalStatus: openEnum(licenseStatuses).describe('Its status before.'),
    userEmail: z.string().describe('Address of the learner as it was given. Personal data.'),
  })
  .meta({ title: 'LicenseRevocation' });

const failedRevocation = z
  .object({
    error: z.string().describe('Why.'),
    errorResponseStatus: z.int().describe('The status that the failure has by itself.'),
    userEmail: z.string().describe('Address of the learner as it was given. Personal data.'),
  })
  .meta({ title: 'FailedLicenseRevocation' });
export type FailedRevocation = z.infer<typeof failedRevocation>;

export const nothingRevoked = defineError({
  code: 'nothing_revoked',
  status: 404,
  message: 'None of the learners has a license of the plan.',
  details: z.object({ unsuccessfulRevocations: z.array(failedRevocation).describe('Why, for each learner.') }),
});

export const notEnoughRevocations = defineError({
  code: 'not_enough_revocations',
  status: 400,
  message: 'Plan does not have enough revocations remaining.',
  details: z.object({ remaining: z.int().describe('Revocations that are left.') }),
});

export const bulkRevoke = defineContract({
  ...ofAdministrators,
  summary: 'Revoke the licences of learners; each is replaced by a free one. Learners without a licence are reported.',
  rest: { method: 'POST', path: `${BASE}bulk-revoke/` },
  input: z.object({ planUuid: planUuid(), ...learners }).superRefine(oneChoice),
  output: z.object({
    successfulRevocations: z.array(revocation).describe('Licences that were revoked.'),
    unsuccessfulRevocations: z.array(failedRevocation).describe('Learners without a licence that can be revoked.'),
  }),
  errors: [nothingRevoked, notEnoughRevocations],
});

export const revocationIsCapped = defineError({
  code: 'revocation_is_capped',
  status: 422,
  message: 'Cannot revoke all licenses when revocation cap is enabled for the subscription plan',
  details: z.object({}),
});

export const revokeAll = defineContract({
  ...ofAdministrators,
  summary: 'Revoke all assigned and activated licences of a plan, in a background job.',
  rest: { method: 'POST', path: `${BASE}revoke-all/`, status: 204 },
  input: z.object({ planUuid: planUuid() }),
  output: z.object({}).meta({ title: 'AllRevoked' }),
  errors: [revocationIsCapped],
});
