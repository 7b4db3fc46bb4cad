import { z } from 'zod';
import { encodePage, pageEnvelope } from '../kernel/envelope.ts';
import { type LegacyForm, legacyReply, type QueryName } from '../kernel/legacy.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { snakeCase, wireCodec } from '../kernel/wire.ts';
import * as configurationContract from './configuration-contract.ts';
import * as contract from './contract.ts';

const renamed = (shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]));

const configuration = wireCodec(configurationContract.requestConfiguration);
const configurationBody = z
  .object(renamed(configurationContract.requestConfiguration.shape))
  .meta({ title: 'RequestConfigurationBody' });

const one = wireCodec(contract.learnerCreditRequest);
const listed = wireCodec(contract.listedRequest);
const action = z.object(renamed(contract.requestAction.shape)).meta({ title: 'LearnerCreditRequestActionBody' });
const requestBody = z
  .object({ ...renamed(contract.learnerCreditRequest.shape), latest_action: action.nullable() })
  .meta({ title: 'LearnerCreditRequestBody' });
const listedBody = z
  .object({ ...renamed(contract.listedRequest.shape), latest_action: action.nullable() })
  .meta({ title: 'ListedLearnerCreditRequestBody' });

/** A reply without a body. */
const silence = z.undefined();
const silentError = { body: silence, encode: () => undefined };

const approvalBody = z
  .object({ approved: z.array(z.string()), failed: z.array(z.string()), error_message: z.string().nullable() })
  .meta({ title: 'ApprovalBody' });
const notAllApproved = {
  body: approvalBody,
  encode: ({ approved, failed, errorMessage }: z.infer<typeof contract.notAllApproved.details>) => ({
    approved,
    failed,
    error_message: errorMessage,
  }),
};

const declinedBody = z
  .object({ declined: z.array(z.string()), non_declinable: z.array(z.string()) })
  .meta({ title: 'DeclinedBody' });

const notAllCancelled = {
  body: z.object({ detail: z.string(), non_cancelable: z.array(z.string()) }).meta({ title: 'NotCancelledBody' }),
  encode: ({ nonCancelable }: z.infer<typeof contract.notAllCancelled.details>, message: string) => ({
    detail: message,
    non_cancelable: nonCancelable,
  }),
};

const filterNames: Readonly<Record<string, QueryName>> = {
  user__email: {
    field: 'userEmail',
    description: 'Only the learner with this address.',
    example: 'learner-1900@demo.example',
  },
  latest_action_status__in: {
    field: 'latestActionStatus',
    description: 'Only these statuses of the latest action, between commas.',
    example: 'requested,approved',
  },
  learner_request_state__in: {
    field: 'learnerRequestState',
    description: 'Only these states for administrators, between commas.',
    example: 'requested,waiting',
  },
};

export const configurationLegacy: Readonly<Record<string, LegacyForm>> = {
  list: {
    reply: legacyReply(configurationContract.list, {
      body: pageEnvelope(configurationBody),
      encode: (page, request) => encodePage(page, request, configuration.encode),
    }),
  },
};

export const legacy: Readonly<Record<string, LegacyForm>> = {
  list: {
    query: filterNames,
    reply: legacyReply(contract.list, {
      body: pageEnvelope(listedBody).extend({
        learner_request_state_counts: z.array(
          z
            .object({ learner_request_state: openEnum(contract.learnerRequestStates), count: z.int() })
            .meta({ title: 'LearnerRequestStateCountBody' }),
        ),
      }),
      encode: (page, request) => ({
        ...encodePage(page, request, listed.encode),
        learner_request_state_counts: page.learnerRequestStateCounts.map(({ learnerRequestState, count }) => ({
          learner_request_state: learnerRequestState,
          count,
        })),
      }),
    }),
  },
  overview: { query: filterNames },
  create: {
    reply: legacyReply(contract.create, {
      body: requestBody,
      encode: one.encode,
      status: ({ latestAction }) => (latestAction === null ? 201 : 200),
      statuses: [200, 201],
    }),
  },
  approve: { errors: { requests_not_found: silentError, not_all_approved: notAllApproved } },
  approveAll: { errors: { requests_not_found: silentError, not_all_approved: notAllApproved } },
  decline: {
    errors: {
      not_all_declined: {
        body: declinedBody,
        encode: ({ declined, nonDeclinable }: z.infer<typeof contract.notAllDeclined.details>) => ({
          declined,
          non_declinable: nonDeclinable,
        }),
      },
    },
  },
  remind: {
    reply: legacyReply(contract.remind, { body: silence, encode: () => undefined }),
    errors: {
      not_all_reminded: {
        body: z.object({ detail: z.string(), non_remindable: z.array(z.string()) }).meta({ title: 'NotRemindedBody' }),
        encode: ({ nonRemindable }: z.infer<typeof contract.notAllReminded.details>, message: string) => ({
          detail: message,
          non_remindable: nonRemindable,
        }),
      },
    },
  },
  remindAll: { reply: legacyReply(contract.remindAll, { body: silence, encode: () => undefined, statuses: [202] }) },
  cancel: {
    errors: {
      not_cancelable: {
        body: z.string(),
        encode: ({ sentence }: z.infer<typeof contract.notCancelable.details>) => sentence,
      },
    },
  },
  bulkCancel: {
    reply: legacyReply(contract.bulkCancel, { body: silence, encode: () => undefined, statuses: [202] }),
    errors: { not_all_cancelled: notAllCancelled },
  },
  cancelAll: {
    reply: legacyReply(contract.cancelAll, { body: silence, encode: () => undefined, statuses: [202] }),
    errors: { not_all_cancelled: notAllCancelled },
  },
};
