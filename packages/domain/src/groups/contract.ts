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
    .describe('Details of the learner.'),
  recentAction: z.string().nullable().describe('Last action on the membership, as text.'),
  status: z.string().nullable().describe('State of the membership.'),
  activatedAt: z.string().nullable().describe('Time when the learner accepted.'),
  enrollments: z.number().nullable().describe('Number of enrollments in the LMS, paid by any source.'),
  groupName: z.string().nullable().describe('Name of the group.'),
  groupUuid: z.string().nullable().describe('The group.'),
  enrollmentCount: z.int().min(0).describe('Number of current enrollments paid by the policy.'),
});
export type Member = z.infer<typeof member>;

export const listMembers = defineContract({
  summary: 'Members of a group of a policy, with the number of enrollments that the policy has paid for each.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: { from: 'policy', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/subsidy-access-policies/{uuid}/group-members' },
  bodyLimitBytes: 512 * 1024,
  input: z
    .object({
      uuid: uuid().describe('Policy.'),
      groupUuid: uuid().optional().describe('One of the groups of the policy; default its first one.'),
      userQuery: z.string().max(320).optional().describe('Only members whose name or address contains this text.'),
      sortBy: z
        .string()
        .max(255)
        .meta({ 'x-extensible-enum': [...memberOrders] })
        .optional()
        .describe(
          'Sort order; enrollment counts are descending. Of several comma-separated names, the first known one is used.',
        ),
      showRemoved: z.boolean().default(false).describe('Include removed members.'),
      isReversed: z.boolean().default(false).describe('Reverse the order.'),
      formatCsv: z.boolean().default(false).describe('Also return the members as CSV.'),
      page: z.int().min(1).max(1_000_000).optional().describe('Page number from 1.'),
      traversePagination: z.boolean().optional().describe('Return all members instead of a page.'),
      learners: z.array(z.string().max(320)).max(1_000).optional().describe('Only members with these addresses.'),
    })
    .refine(({ page, traversePagination }) => (page === undefined) === (traversePagination ?? false), EXACTLY_ONE),
  output: z.object({
    items: z.array(member).describe('Members of this page.'),
    count: z.int().min(0).describe('Number of members on all pages.'),
    page: z.int().min(1).describe('Number of this page, from 1.'),
    numPages: z.int().min(1).describe('Number of pages; 1 if all members were requested.'),
    csv: z.string().nullable().describe('The items as CSV, safe to open in a spreadsheet; null unless requested.'),
  }),
  errors: [],
});

/** Allows members of the group to redeem through the policy. */
export const association = z.object({
  uuid: z.string().describe('Identifies the association.'),
  policyUuid: z.string().describe('Policy.'),
  groupUuid: z.string().describe('Group in the LMS.'),
  created: z.date().describe('Time of the association.'),
});

export const addAssociation = defineContract({
  summary: 'Allow the members of a group to redeem through a policy. Repeating it returns the first association.',
  kind: 'mutation',
  permission: policyPermissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  rest: { method: 'POST', path: '/api/v1/subsidy-access-policies/{uuid}/group-associations/', status: 201 },
  input: z.object({
    uuid: uuid().describe('Policy.'),
    groupUuid: uuid().describe('Group in the LMS.'),
  }),
  output: z.object({
    association: association.describe('The association, new or found.'),
    created: z.boolean().describe('False if it existed.'),
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
    enterpriseUuid: uuid().describe('Customer of the policies.'),
    groupUuid: uuid().describe('Group in the LMS.'),
  }),
  output: z.object({ removed: z.int().min(0).describe('Number of policies that it was removed from.') }),
  errors: [],
});
