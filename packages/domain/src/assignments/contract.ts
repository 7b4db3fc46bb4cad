import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { assignmentPermissions, configurationPermissions } from './permissions.ts';

export const states = ['allocated', 'accepted', 'cancelled', 'errored', 'expired', 'reversed'] as const;
export type State = (typeof states)[number];

export const learnerStates = ['notifying', 'waiting', 'failed', 'expired'] as const;
export type LearnerState = (typeof learnerStates)[number];

export const actionTypes = [
  'learner_linked',
  'notified',
  'reminded',
  'redeemed',
  'cancelled',
  'cancelled_acknowledged',
  'expired',
  'expired_acknowledged',
  'reversed',
  'allocated',
  'reallocated',
] as const;
export type ActionType = (typeof actionTypes)[number];

export const errorReasons = ['email_error', 'internal_api_error', 'enrollment_error'] as const;
export type ErrorReason = (typeof errorReasons)[number];

export const expirationReasons = ['NINETY_DAYS_PASSED', 'ENROLLMENT_DATE_PASSED', 'SUBSIDY_EXPIRED'] as const;
export type ExpirationReason = (typeof expirationReasons)[number];

const INT32 = 2_147_483_647;
const LARGEST_PAGE = 500;

/** The assignments of one policy belong to its configuration. */
export const configuration = z
  .object({
    uuid: z.string().describe('Identifies the configuration.'),
    subsidyAccessPolicy: z.string().nullable().describe('Policy of the configuration; null if there is none.'),
    enterpriseCustomerUuid: z.string().describe('Customer that owns the assignments.'),
    active: z.boolean().describe('False is a soft delete: scheduled jobs ignore the configuration.'),
  })
  .meta({ title: 'AssignmentConfiguration' });
export type Configuration = z.infer<typeof configuration>;

/** A recorded action on an assignment, successful or not. */
export const action = z
  .object({
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
    uuid: z.string().describe('Identifies the action.'),
    actionType: openEnum(actionTypes).describe('Kind of action. New kinds can be added.'),
    completedAt: z.date().nullable().describe('Time of completion; null if it failed.'),
    errorReason: openEnum(errorReasons).nullable().describe('Error; null if it succeeded.'),
  })
  .meta({ title: 'AssignmentAction' });
export type Action = z.infer<typeof action>;

/** Content that is reserved for one learner at a fixed price. */
export const assignment = z
  .object({
    uuid: z.string().describe('Identifies the assignment.'),
    assignmentConfiguration: z.string().describe('Configuration that it belongs to.'),
    learnerEmail: z.string().describe('E-mail address as given by the administrator. Personal data.'),
    lmsUserId: z.int().nullable().describe('Learner’s id on the platform; null until the learner has an account.'),
    contentKey: z.string().describe('Course or course run, as the administrator chose.'),
    parentContentKey: z.string().nullable().describe('Course of an assigned run; null for a course.'),
    isAssignedCourseRun: z.boolean().describe('Whether a single run was assigned instead of the course.'),
    contentTitle: z.string().nullable().describe('Title at the time of the allocation.'),
    contentQuantity: z.int().max(0).describe('Price in US cents, negative.'),
    state: openEnum(states).describe('State of the assignment.'),
    transactionUuid: z.string().nullable().describe('Ledger transaction of the last acceptance.'),
    actions: z.array(action).describe('Actions, oldest first.'),
    earliestPossibleExpiration: z
      .object({
        date: z.date().describe('Expiration, unless accepted before.'),
        reason: openEnum(expirationReasons).describe('Reason of the expiration.'),
      })
      .meta({ title: 'AssignmentExpiration' })
      .describe('Earliest possible expiration.'),
  })
  .meta({ title: 'Assignment' });
export type Assignment = z.infer<typeof assignment>;

/** An assignment with the fields for administrators. */
export const adminAssignment = assignment
  .extend({
    recentAction: z
      .object({
        actionType: openEnum(['assigned', 'reminded']).nullable().describe('Null if both happened at the same time.'),
        timestamp: z.date().nullable().describe('Time of the action.'),
      })
      .describe('The later one of allocation and last reminder.'),
    learnerState: openEnum(learnerStates)
      .nullable()
      .describe('Learner state; null if no action of the learner is expected.'),
    errorReason: z
      .object({
        actionType: openEnum(actionTypes).describe('The failed action.'),
        errorReason: openEnum(errorReasons).describe('The error.'),
      })
      .nullable()
      .describe('The last failure since the allocation.'),
  })
  .meta({ title: 'AdminAssignment' });
export type AdminAssignment = z.infer<typeof adminAssignment>;

/** An assignment with the fields for learners (R-ASG-43). */
export const learnerAssignment = assignment
  .extend({
    actions: z
      .array(
        action
          .extend({
            learnerAcknowledged: z
              .boolean()
              .nullable()
              .describe('Whether the learner has acknowledged it; null for kinds that cannot be acknowledged.'),
          })
          .describe('An action with its acknowledgement.')
          .meta({ title: 'LearnerAssignmentAction' }),
      )
      .describe('Actions, oldest first.'),
    contentMetadata: z
      .object({
        startDate: z.date().nullable().describe('First day of the run.'),
        endDate: z.date().nullable().describe('Last day of the run.'),
        enrollByDate: z.date().nullable().describe('Deadline of enrollment.'),
        contentPrice: z.number().nullable().describe('US dollars, as in the catalog.'),
        courseType: z.string().nullable().describe('Kind of course, as the catalog names it.'),
        partners: z
          .array(
            z
              .object({
                name: z.string().describe('Display name.'),
                logoImageUrl: z.string().nullable().describe('URL of the logo.'),
              })
              .describe('An institution that offers a course.')
              .meta({ title: 'ContentPartner' }),
          )
          .describe('Institutions that offer it.'),
      })
      .nullable()
      .describe('Metadata of the catalog; null if unknown.'),
    learnerAcknowledged: z
      .boolean()
      .nullable()
      .describe('Whether the learner has acknowledged the end; null in other states.'),
  })
  .meta({ title: 'LearnerAssignment' });
export type LearnerAssignment = z.infer<typeof learnerAssignment>;

const configurationUuid = { assignmentConfigurationUuid: uuid().describe('Configuration of the assignments.') };
const ofConfiguration = { from: 'configuration', field: 'assignmentConfigurationUuid' } as const;
const itself = { from: 'configuration', field: 'uuid' } as const;
const BASE = '/api/v1/assignment-configurations/';
const ADMIN = `${BASE}{assignmentConfigurationUuid}/admin/assignments/`;

export const listConfigurations = defineContract({
  summary: 'Assignment configurations of a customer, newest first.',
  kind: 'query',
  permission: configurationPermissions.has_read_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: BASE },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Only configurations of this customer.'),
    active: z.boolean().optional().describe('Only active, or only inactive ones.'),
    ...pageInput({ defaultSize: 100, maximumSize: LARGEST_PAGE }),
  }),
  output: pageOutput(configuration),
  errors: [],
});

export const getConfiguration = defineContract({
  summary: 'One assignment configuration.',
  kind: 'query',
  permission: configurationPermissions.has_read_access,
  context: itself,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{uuid}/` },
  input: z.object({ uuid: uuid().describe('Configuration.') }),
  output: configuration,
  errors: [],
});

export const createConfiguration = defineContract({
  summary: 'Create an assignment configuration without a policy. Every call creates a new one.',
  kind: 'mutation',
  permission: configurationPermissions.has_write_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: BASE, status: 201 },
  input: z.object({ enterpriseCustomerUuid: uuid().describe('Customer of the assignments.') }),
  output: configuration,
  errors: [],
});

export const updateConfiguration = defineContract({
  summary: 'Activate or deactivate an assignment configuration.',
  kind: 'mutation',
  permission: configurationPermissions.has_write_access,
  context: itself,
  denial: 'Missing',
  rest: { method: 'PATCH', alsoMethods: ['PUT'], path: `${BASE}{uuid}/` },
  input: z
    .strictObject({ uuid: uuid().describe('Configuration.'), active: z.boolean().describe('Whether it is active.') })
    .partial()
    .required({ uuid: true }),
  output: configuration,
  errors: [],
});

export const deactivateConfiguration = defineContract({
  summary: 'Deactivate an assignment configuration. Idempotent.',
  kind: 'mutation',
  permission: configurationPermissions.has_write_access,
  context: itself,
  denial: 'Missing',
  rest: { method: 'DELETE', path: `${BASE}{uuid}/` },
  input: z.object({
    uuid: uuid().describe('Configuration.'),
    reason: z.string().max(100).nullable().optional().describe('Reason, stored in the history.'),
  }),
  output: configuration,
  errors: [],
});

const uuids = (maximum = 1_000) => z.array(uuid()).max(maximum);

/** None of the listed assignments is the caller’s. */
export const nothingToAcknowledge = defineError({
  code: 'nothing_to_acknowledge',
  status: 400,
  message: 'None of these assignments is yours.',
  details: z.object({ error: z.string().describe('Message.') }),
});

export const acknowledge = defineContract({
  summary: 'Acknowledge that assignments expired or were cancelled. Idempotent.',
  kind: 'mutation',
  permission: configurationPermissions.has_acknowledge_access,
  context: ofConfiguration,
  denial: 'Missing',
  rest: { method: 'POST', path: `${BASE}{assignmentConfigurationUuid}/acknowledge-assignments/` },
  input: z.object({ ...configurationUuid, assignmentUuids: uuids().describe('The caller’s own assignments.') }),
  output: z.object({
    acknowledgedAssignments: z.array(z.string()).describe('Acknowledged by this call.'),
    alreadyAcknowledgedAssignments: z.array(z.string()).describe('Acknowledged before.'),
    unacknowledgedAssignments: z.array(z.string()).describe('Neither expired nor cancelled.'),
  }),
  errors: [nothingToAcknowledge],
});

const several = <T extends z.ZodType>(item: T) => z.array(item).max(100).optional();

/** Filters of assignment lists; all given filters must match. */
export const filter = {
  contentKey: several(z.string().max(255)).describe('Only these courses or runs.'),
  learnerEmail: several(z.string().max(254)).describe('Only learners with these addresses, ignoring case.'),
  lmsUserId: several(z.int().min(1).max(INT32)).describe('Only learners with these ids.'),
  state: several(z.enum(states)).describe('Only assignments in these states.'),
  learnerState: several(z.string().max(32)).describe('Only learners in these states; unknown ones match nothing.'),
  search: z.string().max(255).optional().describe('Words in title or address, ignoring case.'),
};

export const orderings = ['recent_action_time', 'learner_state_sort_order', 'content_quantity'] as const;

export const list = defineContract({
  summary:
    'Assignments of a configuration, by default the latest action first, and how many learners are in each state.',
  kind: 'query',
  permission: assignmentPermissions.has_admin_read_access,
  context: ofConfiguration,
  denial: 'Missing',
  rest: { method: 'GET', path: ADMIN },
  input: z.object({
    ...configurationUuid,
    ...filter,
    ordering: z
      .string()
      .max(255)
      .optional()
      .describe(
        `One of ${orderings.join(', ')}, with \`-\` in front for the opposite. Others count as none; of several between commas the first known one counts.`,
      ),
    ...pageInput({ defaultSize: 100, maximumSize: LARGEST_PAGE }),
  }),
  output: pageOutput(adminAssignment).extend({
    learnerStateCounts: z
      .array(
        z
          .object({
            learnerState: openEnum(learnerStates).describe('Learner state.'),
            count: z.int().min(1).describe('Number of assignments.'),
          })
          .meta({ title: 'LearnerStateCount' }),
      )
      .describe('Number of assignments per learner state, highest first; ignores the filters by state.'),
  }),
  errors: [],
});

export const get = defineContract({
  summary: 'One assignment of a configuration.',
  kind: 'query',
  permission: assignmentPermissions.has_admin_read_access,
  context: ofConfiguration,
  denial: 'Missing',
  rest: { method: 'GET', path: `${ADMIN}{uuid}/` },
  input: z.object({ ...configurationUuid, uuid: uuid().describe('Assignment.') }),
  output: adminAssignment,
  errors: [],
});

/** Some of the listed assignments do not exist or cannot be changed; the others were changed. */
export const notAllChanged = defineError({
  code: 'not_all_changed',
  status: 422,
  message: 'Some of the assignments were not found or can no longer be changed. The others were.',
  details: z.object({
    changed: z.array(z.string()).describe('Assignments in the requested state.'),
    unchanged: z.array(z.string()).describe('Assignments that could not be changed.'),
  }),
});

/** No matching assignment can be changed. */
export const nothingToChange = defineError({
  code: 'nothing_to_change',
  status: 404,
  message: 'No matching assignment can be changed.',
  details: z.object({}),
});

const listed = { ...configurationUuid, assignmentUuids: uuids().describe('Assignments of the configuration.') };
const changed = z.object({ changed: z.array(z.string()).describe('Assignments in the requested state.') });
const counted = z.object({ changed: z.int().min(1).describe('Number of changed assignments.') });
const write = {
  kind: 'mutation',
  permission: assignmentPermissions.has_admin_write_access,
  context: ofConfiguration,
  denial: 'Missing',
} as const;

export const cancel = defineContract({
  summary: 'Cancel assignments that are not redeemed, and notify the learners.',
  ...write,
  rest: { method: 'POST', path: `${ADMIN}cancel/` },
  input: z.object(listed),
  output: changed,
  errors: [notAllChanged],
});

export const cancelAll = defineContract({
  summary: 'Cancel all matching assignments that are not redeemed, and notify the learners.',
  ...write,
  rest: { method: 'POST', path: `${ADMIN}cancel-all/`, status: 202 },
  input: z.object({ ...configurationUuid, ...filter }),
  output: counted,
  errors: [nothingToChange],
});

export const remind = defineContract({
  summary: 'Remind learners of allocated assignments; others are skipped.',
  ...write,
  rest: { method: 'POST', path: `${ADMIN}remind/` },
  input: z.object(listed),
  output: changed,
  errors: [notAllChanged],
});

export const remindAll = defineContract({
  summary: 'Remind the learners of all matching allocated assignments.',
  ...write,
  rest: { method: 'POST', path: `${ADMIN}remind-all/`, status: 202 },
  input: z.object({ ...configurationUuid, ...filter }),
  output: counted,
  errors: [nothingToChange],
});

/** No mail was enqueued. */
export const nothingNudged = defineError({
  code: 'nothing_nudged',
  status: 422,
  message: 'Nobody was nudged.',
  details: z.object({ errorMessage: z.string().describe('Message.') }),
});

export const nudge = defineContract({
  summary: 'Remind learners of executive education that starts in a number of days.',
  ...write,
  rest: { method: 'POST', path: `${ADMIN}nudge/` },
  input: z.object({
    ...configurationUuid,
    assignmentUuids: uuids().min(1).describe('Assignments of the configuration.'),
    daysBeforeCourseStartDate: z.int().min(1).max(3_650).describe('Days from today to the start of the course.'),
  }),
  output: z.object({
    nudgedAssignmentUuids: z.array(z.string()).describe('Assignments whose learners get a mail.'),
    unnudgedAssignmentUuids: z
      .array(z.string())
      .describe('Assignments that are not accepted, or whose course starts on another day.'),
  }),
  errors: [nothingNudged],
});

export const listOwn = defineContract({
  summary: 'The caller’s own assignments of a configuration, newest allocation first.',
  kind: 'query',
  permission: assignmentPermissions.has_learner_read_access,
  context: ofConfiguration,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{assignmentConfigurationUuid}/assignments/` },
  input: z.object({ ...configurationUuid, ...pageInput({ defaultSize: 100, maximumSize: LARGEST_PAGE }) }),
  output: pageOutput(assignment),
  errors: [],
});

export const getOwn = defineContract({
  summary: 'One of the caller’s own assignments.',
  kind: 'query',
  permission: assignmentPermissions.has_learner_read_access,
  context: ofConfiguration,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{assignmentConfigurationUuid}/assignments/{uuid}/` },
  input: z.object({ ...configurationUuid, uuid: uuid().describe('Assignment.') }),
  output: assignment,
  errors: [],
});
