import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { uuid } from '../kernel/ids.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';

/** Sort orders of members; the LMS supports the first three, we sort by the last. */
export const memberOrders = ['member_details', 'status', 'recent_action', 'enrollment_count'] as const;

const EXACTLY_ONE = 'Can only support one param of the following at a time: `page` or `traverse_pagination`';

/** A member of a group, for administrators. */
export const member = z.object({
  enterpriseCustomerUserId: z.int().nullable().describe('Link of the learner to the customer; null while pending.'),
  lmsUserId: z.int().nullable().describe('Learner; null while pending.'),
  pendingEnterpriseCustomerUserId: z.int().nullable().describe('Invitation, until the learner has an account.'),
  enterpriseGroupMembershipUuid: z.string().describe('Identifies the membership.'),
  memberDetails: z
    .object({
      userEmail: z.string().describe('Address of the learner. Personal data.'),
      userName: z.string().nullable().describe('Name of the learner. Personal data.'),
    })
    .describe('Who the learner is.'),
  recentAction: z.string().nullable().describe('What happened last to the membership, in words.'),
  status: z.string().nullable().describe('State of the membership.'),
  activatedAt: z.string().nullable().describe('When the learner accepted.'),
  enrollments: z.number().nullable().describe('Enrollments that the LMS counts for the member, whoever paid.'),
  groupName: z.string().nullable().describe('Name of the group.'),
  groupUuid: z.string().nullable().describe('The group.'),
  enrollmentCount: z.int().min(0).describe('Standing enrollments that the policy has paid.'),
});
export type Member = z.infer<typeof member>;

export const listMembers = defineContract({
  summary: 'Members of a group that may redeem through a policy, with the number of enrollments it has paid for each.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: { from: 'policy', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/subsidy-access-policies/{uuid}/group-members' },
  bodyLimitBytes: 512 * 1024,
  input: z
    .object({
      uuid: uuid().describe('Policy.'),
      groupUuid: uuid().optional().describe('One of the groups of the policy; its first one unless given.'),
      userQuery: z.string().max(320).optional().describe('Only members whose name or address holds this text.'),
      sortBy: z
        .string()
        .max(255)
        .meta({ 'x-extensible-enum': [...memberOrders] })
        .optional()
        .describe(
          'Order; enrollment counts come largest first. Of several names between commas the first known one counts; unknown ones are ignored.',
        ),
      showRemoved: z.boolean().default(false).describe('Also members who were removed.'),
      isReversed: z.boolean().default(false).describe('The other way round.'),
      formatCsv: z.boolean().default(false).describe('Also as text in CSV.'),
      page: z.int().min(1).max(1_000_000).optional().describe('Page number from 1.'),
      traversePagination: z.boolean().optional().describe('All members at once, instead of a page.'),
      learners: z.array(z.string().max(320)).max(1_000).optional().describe('Only members with these addresses.'),
    })
    .refine(({ page, traversePagination }) => (page === undefined) === (traversePagination ?? false), EXACTLY_ONE),
  output: z.object({
    items: z.array(member).describe('Members of this page.'),
    count: z.int().min(0).describe('Members in all pages together.'),
    page: z.int().min(1).describe('Number of this page, from 1.'),
    numPages: z.int().min(1).describe('Number of pages; 1 when all were asked for at once.'),
    csv: z.string().nullable().describe('The items as CSV, safe to open in a spreadsheet; null unless asked for.'),
  }),
  errors: [],
});

/** Allows members of the group to redeem through the policy. */
export const association = z.object({
  uuid: z.string().describe('Identifies the association.'),
  policyUuid: z.string().describe('Policy.'),
  groupUuid: z.string().describe('Group of the LMS.'),
  created: z.date().describe('When the group was associated.'),
});

export const addAssociation = defineContract({
  summary: 'Let the members of a group redeem through a policy. Repeating it answers with the first association.',
  kind: 'mutation',
  permission: policyPermissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  rest: { method: 'POST', path: '/api/v1/subsidy-access-policies/{uuid}/group-associations/', status: 201 },
  input: z.object({
    uuid: uuid().describe('Policy.'),
    groupUuid: uuid().describe('Group of the LMS.'),
  }),
  output: z.object({
    association: association.describe('The association, new or found.'),
    created: z.boolean().describe('False when it was there already.'),
  }),
  errors: [],
});

export const removeAssociations = defineContract({
  summary: 'Remove a group from all policies of a customer.',
  kind: 'mutation',
  permission: policyPermissions.has_write_access,
  context: { from: 'customer', field: 'enterpriseUuid' },
  rest: { method: 'DELETE', path: '/api/v1/{enterpriseUuid}/delete-group-association/{groupUuid}', status: 204 },
  input: z.object({
    enterpriseUuid: uuid().describe('Customer whose policies are meant.'),
    groupUuid: uuid().describe('Group of the LMS.'),
  }),
  output: z.object({ removed: z.int().min(0).describe('Number of policies that it was removed from.') }),
  errors: [],
});
