import { defineModel, is } from '@enterprise-access/db';
import type { BulkOutcome } from './allocation-contract.ts';
import type { ActionType, ErrorReason, ExpirationReason, State } from './contract.ts';

const EXPIRES = { job: 'housekeeping.expire' } as const;
const RETIRES = { job: 'assignments.retireAddresses' } as const;

export const assignments = defineModel('assignments', {
  tenant: 'enterpriseCustomerUuid',
  audited: {
    subject: 'assignment',
    learner: 'lmsUserId',
    address: 'learnerEmail',
    follows: 'correlationId',
    // A lock while a redemption is in flight; the redemption itself names its assignment.
    ignored: ['redemptionUuid'],
  },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    assignmentConfigurationUuid: is.uuid(),
    learnerEmail: is.text().personalData({ holds: 'Address.', ends: RETIRES }),
    lmsUserId: is.integer().nullable(),
    contentKey: is.text(),
    parentContentKey: is.text().nullable(),
    isAssignedCourseRun: is.flag(),
    contentTitle: is.text().nullable(),
    priceCents: is.cents(),
    preferredCourseRunKey: is.text().nullable(),
    state: is.code<State>(),
    allocatedAt: is.instant(),
    acceptedAt: is.instant().nullable(),
    cancelledAt: is.instant().nullable(),
    expiredAt: is.instant().nullable(),
    erroredAt: is.instant().nullable(),
    reversedAt: is.instant().nullable(),
    expirationReason: is.code<ExpirationReason>().nullable(),
    /** From this time the address can be removed (R-ASG-57). */
    retireAddressFrom: is.instant().nullable(),
    transactionUuid: is.uuid().nullable(),
    redemptionUuid: is.uuid().nullable(),
    allocationBatchUuid: is.uuid().nullable(),
    adminLmsUserId: is.integer().nullable(),
    notifiedAt: is.instant().nullable(),
    notifyErroredAt: is.instant().nullable(),
    remindedAt: is.instant().nullable(),
    errorActionType: is.code<ActionType>().nullable(),
    errorReason: is.code<ErrorReason>().nullable(),
    /** Of the call that allocated it. */
    correlationId: is.text().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: {
    learnerEmailKey: is.text().nullable().personalData({ holds: 'The address as it is compared.', ends: RETIRES }),
    recentActionAt: is.instant().nullable(),
    statusClass: is.integer().nullable(),
    activeAddress: is.integer().nullable(),
    activeAccount: is.integer().nullable(),
  },
});

/** Actions are only ever added, so they are not audited themselves. */
export const assignmentActions = defineModel('assignment_actions', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    assignmentUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    actionType: is.code<ActionType>(),
    /** Null if it failed. */
    completedAt: is.instant().nullable(),
    errorReason: is.code<ErrorReason>().nullable(),
    /** Kind of failure; never the message of another service. */
    traceback: is.text().nullable(),
    actorLmsUserId: is.integer().nullable(),
    actorType: is.code<'admin' | 'learner' | 'system'>().nullable(),
    learnerLmsUserId: is.integer().nullable(),
    learnerEmail: is.text().nullable().personalData({ holds: 'Address at the time of the action.', ends: RETIRES }),
    source: is.code<'api' | 'admin_ui_bulk_csv' | 'signal' | 'scheduled_job' | 'celery_task'>().nullable(),
    metadata: is.json<Readonly<Record<string, unknown>>>().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

/** Number of assignments per configuration, class and content key; an empty key is the total. */
export const assignmentCounts = defineModel('assignment_counts', {
  tenant: 'enterpriseCustomerUuid',
  key: ['assignmentConfigurationUuid', 'contentKey', 'statusClass'],
  columns: {
    assignmentConfigurationUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    contentKey: is.text(),
    statusClass: is.integer(),
    n: is.integer(),
  },
});

/** Bulk allocations, split into chunks. */
export const allocationBatches = defineModel('allocation_batches', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'allocation_batch' },
  columns: {
    uuid: is.uuid(),
    policyUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    contentKey: is.text(),
    priceCents: is.cents(),
    suppressEmail: is.flag(),
    source: is.code<'api' | 'admin_ui_bulk_csv' | 'signal' | 'scheduled_job' | 'celery_task'>(),
    actorUserId: is.integer().nullable(),
    actorLmsUserId: is.integer().nullable(),
    learnerCount: is.integer(),
    created: is.instant(),
    modified: is.instant(),
  },
});

/** Learners who are allocated in one transaction, with their outcomes; null is not done yet. */
export const allocationChunks = defineModel('allocation_chunks', {
  tenant: 'enterpriseCustomerUuid',
  key: ['batchUuid', 'position'],
  columns: {
    batchUuid: is.uuid(),
    position: is.integer(),
    enterpriseCustomerUuid: is.uuid(),
    learnerEmails: is
      .json<readonly string[]>()
      .personalData({ holds: 'Addresses of a bulk allocation.', ends: EXPIRES }),
    outcomes: is
      .json<readonly (BulkOutcome | null)[]>()
      .personalData({ holds: 'What became of each of them.', ends: EXPIRES }),
    finished: is.instant().nullable(),
    created: is.instant(),
  },
});

export const tables = [allocationBatches, allocationChunks, assignmentActions, assignmentCounts, assignments] as const;
