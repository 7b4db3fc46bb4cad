import { z } from 'zod';
import { encodePage, pageEnvelope } from '../kernel/envelope.ts';
import { type LegacyForm, legacyReply, type QueryName } from '../kernel/legacy.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { wireCodec } from '../kernel/wire.ts';
import * as contract from './contract.ts';

const admin = wireCodec(contract.adminAssignment);
const own = wireCodec(contract.assignment);
const configuration = wireCodec(contract.configuration);

const action = z
  .object({
    created: z.date(),
    modified: z.date(),
    uuid: z.string(),
    action_type: openEnum(contract.actionTypes),
    completed_at: z.date().nullable(),
    error_reason: openEnum(contract.errorReasons).nullable(),
  })
  .meta({ title: 'AssignmentActionBody' });

const assignmentBody = z.object({
  uuid: z.string(),
  assignment_configuration: z.string(),
  learner_email: z.string(),
  lms_user_id: z.int().nullable(),
  content_key: z.string(),
  parent_content_key: z.string().nullable(),
  is_assigned_course_run: z.boolean(),
  content_title: z.string().nullable(),
  content_quantity: z.int(),
  state: openEnum(contract.states),
  transaction_uuid: z.string().nullable(),
  actions: z.array(action),
  earliest_possible_expiration: z
    .object({ date: z.date(), reason: openEnum(contract.expirationReasons) })
    .meta({ title: 'AssignmentExpirationBody' }),
});

const adminBody = assignmentBody.extend({
  recent_action: z.object({
    action_type: openEnum(['assigned', 'reminded']).nullable(),
    timestamp: z.date().nullable(),
  }),
  learner_state: openEnum(contract.learnerStates).nullable(),
  error_reason: z
    .object({ action_type: openEnum(contract.actionTypes), error_reason: openEnum(contract.errorReasons) })
    .nullable(),
});

const configurationBody = z.object({
  uuid: z.string(),
  subsidy_access_policy: z.string().nullable(),
  enterprise_customer_uuid: z.string(),
  active: z.boolean(),
});

/** A reply without a body. */
const silence = z.undefined();
const silentError = { body: silence, encode: () => undefined };

const filterNames: Readonly<Record<string, QueryName>> = {
  content_key: { field: 'contentKey', description: 'Only this course or run.', example: 'edX+DemoX' },
  content_key__in: {
    field: 'contentKey',
    isList: true,
    description: 'Only these, between commas.',
    example: 'edX+DemoX,edX+OtherX',
  },
  learner_email: {
    field: 'learnerEmail',
    description: 'Only the learner with this address.',
    example: 'learner-1000@demo.example',
  },
  learner_email__in: {
    field: 'learnerEmail',
    isList: true,
    description: 'Only these learners, between commas.',
    example: 'learner-1000@demo.example,learner-1001@demo.example',
  },
  lms_user_id: { field: 'lmsUserId', description: 'Only the learner with this id.', example: '1000' },
  lms_user_id__in: {
    field: 'lmsUserId',
    isList: true,
    description: 'Only these learners, between commas.',
    example: '1000,1001',
  },
  state: { field: 'state', description: 'Only assignments in this state.', example: 'allocated' },
  state__in: {
    field: 'state',
    isList: true,
    description: 'Only assignments in these states, between commas.',
    example: 'allocated,errored',
  },
  learner_state: { field: 'learnerState', description: 'Only learners in this state.', example: 'waiting' },
  learner_state__in: {
    field: 'learnerState',
    isList: true,
    description: 'Only learners in these states.',
    example: 'waiting,failed',
  },
  search: { field: 'search', description: 'Words that title or address contain.', example: 'demo' },
};

/** If a filter is given in both forms, both must match: their values are intersected. */
export const legacy: Readonly<Record<string, LegacyForm>> = {
  listConfigurations: {
    reply: legacyReply(contract.listConfigurations, {
      body: pageEnvelope(configurationBody),
      encode: (page, request) => encodePage(page, request, configuration.encode),
    }),
  },
  acknowledge: {
    reply: legacyReply(contract.acknowledge, {
      body: z.object({
        acknowledged_assignments: z.array(z.string()),
        already_acknowledged_assignments: z.array(z.string()),
        unacknowledged_assignments: z.array(z.string()),
      }),
      encode: (output) => ({
        acknowledged_assignments: output.acknowledgedAssignments,
        already_acknowledged_assignments: output.alreadyAcknowledgedAssignments,
        unacknowledged_assignments: output.unacknowledgedAssignments,
      }),
      status: ({ acknowledgedAssignments }) => (acknowledgedAssignments.length > 0 ? 201 : 200),
      statuses: [200, 201],
    }),
    errors: {
      nothing_to_acknowledge: {
        body: z.object({ error: z.string() }),
        encode: ({ error }: z.infer<typeof contract.nothingToAcknowledge.details>) => ({ error }),
      },
    },
  },
  list: {
    query: filterNames,
    reply: legacyReply(contract.list, {
      body: pageEnvelope(adminBody).extend({
        learner_state_counts: z.array(z.object({ learner_state: openEnum(contract.learnerStates), count: z.int() })),
      }),
      encode: (page, request) => ({
        ...encodePage(page, request, admin.encode),
        learner_state_counts: page.learnerStateCounts.map(({ learnerState, count }) => ({
          learner_state: learnerState,
          count,
        })),
      }),
    }),
  },
  cancel: {
    reply: legacyReply(contract.cancel, { body: silence, encode: () => undefined }),
    errors: { not_all_changed: silentError },
  },
  cancelAll: {
    query: filterNames,
    reply: legacyReply(contract.cancelAll, { body: silence, encode: () => undefined, statuses: [202] }),
    errors: { nothing_to_change: silentError },
  },
  remind: {
    reply: legacyReply(contract.remind, { body: silence, encode: () => undefined }),
    errors: { not_all_changed: silentError },
  },
  remindAll: {
    query: filterNames,
    reply: legacyReply(contract.remindAll, { body: silence, encode: () => undefined, statuses: [202] }),
    errors: { nothing_to_change: silentError },
  },
  nudge: {
    errors: {
      nothing_nudged: {
        body: z.object({ error_message: z.string() }),
        encode: ({ errorMessage }: z.infer<typeof contract.nothingNudged.details>) => ({ error_message: errorMessage }),
      },
    },
  },
  listOwn: {
    reply: legacyReply(contract.listOwn, {
      body: pageEnvelope(assignmentBody),
      encode: (page, request) => encodePage(page, request, own.encode),
    }),
  },
};
