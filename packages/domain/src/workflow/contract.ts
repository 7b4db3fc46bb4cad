import { z } from 'zod';
import { defineContract, defineStream, resumable } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { keysetInput, keysetOutput } from '../kernel/keyset.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { permissions } from './permissions.ts';

export const workflowStatuses = ['running', 'waiting', 'succeeded', 'failed', 'cancelling', 'cancelled'] as const;
export type WorkflowStatus = (typeof workflowStatuses)[number];

export const stepStatuses = ['running', 'waiting', 'succeeded', 'failed', 'skipped', 'undone'] as const;
export type StepStatus = (typeof stepStatuses)[number];

export const workflowSummary = z
  .object({
    uuid: z.string().describe('Identifies the workflow.'),
    kind: z.string().describe('What it does: `provisioning.customer`.'),
    version: z.int().describe('Version of its steps.'),
    key: z.string().describe('Occasion of the workflow; there is one workflow of a kind for a key.'),
    enterpriseCustomerUuid: z.string().nullable().describe('Customer of the workflow; null if none is known yet.'),
    status: openEnum(workflowStatuses).describe('Where it stands.'),
    position: z.int().min(0).describe('Number of steps that are done.'),
    stepCount: z.int().min(0).describe('Number of steps in all.'),
    error: z.string().nullable().describe('Why it failed, with the step; null if it did not.'),
    wakeAt: z.date().nullable().describe('When it goes on by itself.'),
    correlationId: z.string().describe('Of the call that started it; records of everything it does have the same.'),
    created: z.date().describe('Time of the start.'),
    modified: z.date().describe('Time of the last change.'),
    finished: z.date().nullable().describe('Time of the end.'),
  })
  .meta({ title: 'WorkflowSummary' });
export type WorkflowSummary = z.infer<typeof workflowSummary>;

export const workflowStep = z
  .object({
    name: z.string().describe('Name of the step, unique in the workflow.'),
    title: z.string().describe('What it does.'),
    status: openEnum(stepStatuses).nullable().describe('Null if it has not begun.'),
    attempts: z
      .array(
        z
          .object({
            started: z.string().describe('ISO 8601.'),
            ended: z.string().describe('ISO 8601.'),
            error: z.string().nullable().describe('What went wrong; null for success.'),
            cause: z.string().nullable().describe('The error’s own words, which can contain personal data.'),
          })
          .meta({ title: 'WorkflowAttempt' }),
      )
      .describe('The last attempts, oldest first.'),
    reason: z.string().nullable().describe('Why it was skipped.'),
    started: z.date().nullable().describe('Time of the first attempt.'),
    ended: z.date().nullable().describe('Time of the end.'),
  })
  .meta({ title: 'WorkflowStep' });

export const workflowView = workflowSummary
  .extend({ steps: z.array(workflowStep).describe('All steps, in their order.') })
  .meta({ title: 'Workflow' });
export type WorkflowView = z.infer<typeof workflowView>;

export const notPossible = defineError({
  code: 'workflow_not_possible',
  status: 422,
  message: 'The workflow cannot do this in its present state.',
  details: z.object({ status: z.string().describe('Status of the workflow.') }),
});

const BASE = '/api/v1/workflows/';
const context = { from: 'workflow', field: 'uuid' } as const;
const one = { uuid: uuid().describe('Workflow.') };
const reason = z.string().min(1).max(255).describe('Why, for the records.');

export const list = defineContract({
  summary: 'Workflows, the newest first.',
  kind: 'query',
  permission: permissions.can_read,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  rest: { method: 'GET', path: BASE },
  input: z.object({
    enterpriseCustomerUuid: uuid()
      .optional()
      .describe('Only workflows of this customer; required unless the caller may see all.'),
    kind: z.string().max(64).optional().describe('Only this kind.'),
    status: z.enum(workflowStatuses).optional().describe('Only this status.'),
    ...keysetInput({ defaultSize: 50, maximumSize: 200 }),
  }),
  output: keysetOutput(workflowSummary),
  errors: [],
});

export const get = defineContract({
  summary: 'A workflow with its steps and their attempts.',
  kind: 'query',
  permission: permissions.can_read,
  context,
  rest: { method: 'GET', path: `${BASE}{uuid}/` },
  input: z.object(one),
  output: workflowView,
  errors: [],
});

export const progress = defineStream({
  summary: 'Stream a workflow: its current state, then each change until it has ended.',
  kind: 'subscription',
  permission: permissions.can_read,
  context,
  input: z.object({ ...one, ...resumable }),
  output: workflowView,
  errors: [],
});

const change = (name: string) => ({
  kind: 'mutation' as const,
  permission: permissions.can_manage,
  context,
  rest: { method: 'POST' as const, path: `${BASE}{uuid}/${name}/` },
  output: workflowView,
  errors: [notPossible],
});

export const resume = defineContract({
  summary: 'Let a failed or waiting workflow go on at the step where it stands. Earlier effects are not made again.',
  ...change('resume'),
  input: z.object({ ...one, reason }),
});

export const skip = defineContract({
  summary: 'Skip the step at which a workflow failed or waits; the steps after it see the given output.',
  ...change('skip'),
  input: z.object({
    ...one,
    step: z.string().min(1).max(64).describe('Name of the step, to be sure which one is meant.'),
    output: z.record(z.string(), z.unknown()).describe('What the step would have returned; checked like its output.'),
    reason,
  }),
});

export const cancel = defineContract({
  summary: 'Cancel a workflow; what its steps have made is taken back, the latest first.',
  ...change('cancel'),
  input: z.object({ ...one, reason }),
});

export const fork = defineContract({
  summary: 'Start a new workflow from a step of an ended one; the steps before it count as done.',
  ...change('fork'),
  input: z.object({ ...one, step: z.string().min(1).max(64).describe('First step to run.'), reason }),
});
