import { defineModel, is } from '@enterprise-access/db';
import type { transformer } from '../kernel/transformer.ts';
import type { StepStatus, WorkflowStatus } from './contract.ts';

/** Values with dates, as they are stored. */
export type Stored = ReturnType<typeof transformer.output.serialize>;

const FORGETS = { job: 'workflow.forget' } as const;

export const workflows = defineModel('workflows', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'workflow', ignored: ['position', 'wakeAt', 'status', 'error', 'output', 'finished'] },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    kind: is.code(),
    version: is.integer(),
    /** Names the occasion: a second start with the same key finds the first. */
    idempotencyKey: is.text(),
    status: is.code<WorkflowStatus>(),
    input: is.json<Stored>().personalData({ holds: 'What a workflow was started with.', ends: FORGETS }),
    output: is.json<Stored>().nullable().personalData({ holds: 'What a workflow has made.', ends: FORGETS }),
    /** Number of steps that are done. */
    position: is.integer(),
    wakeAt: is.instant().nullable(),
    /** A sentence for people. */
    error: is.text().nullable(),
    correlationId: is.code(),
    created: is.instant(),
    modified: is.instant(),
    finished: is.instant().nullable(),
  },
  internal: { leaseOwner: is.uuid().nullable(), leaseEnds: is.instant().nullable() },
});

/** One try of a step. */
export interface StoredAttempt {
  readonly started: string;
  readonly ended: string;
  /** Null for success. */
  readonly error: string | null;
  /** For staff. */
  readonly cause: string | null;
}

export const workflowSteps = defineModel('workflow_steps', {
  tenant: 'enterpriseCustomerUuid',
  key: ['workflowUuid', 'position'],
  columns: {
    workflowUuid: is.uuid(),
    position: is.integer(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    name: is.code(),
    status: is.code<StepStatus>(),
    output: is.json<Stored>().nullable().personalData({ holds: 'What a step has made.', ends: FORGETS }),
    attemptCount: is.integer(),
    attempts: is
      .json<readonly StoredAttempt[]>()
      .personalData({ holds: 'Errors in the words of other services.', ends: FORGETS }),
    reason: is.text().nullable(),
    started: is.instant(),
    ended: is.instant().nullable(),
  },
});

export const workflowSignals = defineModel('workflow_signals', {
  tenant: 'enterpriseCustomerUuid',
  key: ['workflowUuid', 'name'],
  columns: {
    workflowUuid: is.uuid(),
    name: is.code(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    payload: is.json<Stored>().nullable().personalData({ holds: 'What a signal says.', ends: FORGETS }),
    created: is.instant(),
  },
});

export const tables = [workflowSignals, workflowSteps, workflows] as const;
