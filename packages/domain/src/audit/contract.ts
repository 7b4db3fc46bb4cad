import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { foldEmail } from '../kernel/email.ts';
import { instant, uuid } from '../kernel/ids.ts';
import { keysetInput, keysetOutput } from '../kernel/keyset.ts';
import { fieldName } from '../kernel/schema.ts';
import { permissions } from './permissions.ts';

const INT32 = 2_147_483_647;
const permission = permissions.has_read_access;

const customer = { from: 'customer', field: 'enterpriseCustomerUuid' } as const;
const enterpriseCustomerUuid = uuid()
  .optional()
  .describe('Customer whose records are asked for. Who may read those of one customer only has to name it.');

export const sources = ['rest', 'trpc', 'job', 'event', 'panel', 'import', 'system'] as const;
export const actorKinds = ['operator', 'administrator', 'learner', 'service', 'unknown'] as const;

const values = (when: string) =>
  z
    .record(fieldName, z.unknown())
    .nullable()
    .describe(`Fields that differ, as they were ${when}. Personal data is shown as \`***\`.`);

export const auditChange = z
  .object({
    position: z.int().min(1).describe('Place within the entry.'),
    subjectKind: z.string().describe('What was changed: `policy`, `assignment`, `redemption` and so on.'),
    subjectUuid: z.string().describe('Which one.'),
    action: z.enum(['created', 'updated', 'deleted']).describe('What became of it.'),
    note: z.string().nullable().describe('What was done, where the fields do not say it, such as `reminded`.'),
    lmsUserId: z.int().nullable().describe('Learner whom it is about.'),
    learnerEmail: z.string().nullable().describe('Address of that learner, until it is forgotten.'),
    followsCorrelationId: z.string().nullable().describe('Correlation id of the earlier call that this follows.'),
    before: values('before'),
    after: values('after'),
  })
  .meta({ title: 'AuditChange' });
export type AuditChangeView = z.infer<typeof auditChange>;

export const auditActor = z
  .object({
    kind: z.enum(actorKinds).describe('Unknown: the record is of a release that did not keep it.'),
    role: z.string().nullable().describe('Role that allowed it.'),
    userId: z.int().nullable().describe('Local user id; null for the service, and where it is the staff’s alone.'),
  })
  .meta({ title: 'AuditActor' });
export type AuditActorView = z.infer<typeof auditActor>;

const entryFields = {
  uuid: z.string().describe('Identifies the entry; later entries have greater ids.'),
  created: z.date().describe('When it was done.'),
  enterpriseCustomerUuid: z.string().nullable().describe('Customer; null for what belongs to none.'),
  operation: z.string().describe('Operation, job or event that did it.'),
  source: z.enum(sources).describe('How it reached us.'),
  actor: auditActor.describe('On whose behalf.'),
  correlationId: z.string().describe('Shared by everything that followed from one call.'),
  reason: z.string().nullable().describe('Reason that was given; that of the staff is for staff only.'),
  requestId: z.string().nullable().describe('Request, for staff only.'),
};

export const auditEntry = z
  .object({
    ...entryFields,
    changes: z.array(auditChange).describe('The first ten changes.'),
    changeCount: z.int().min(0).describe('Number of all changes.'),
  })
  .meta({ title: 'AuditEntry' });
export type AuditEntryView = z.infer<typeof auditEntry>;

export const filterFields = {
  enterpriseCustomerUuid,
  subjectUuid: uuid().optional().describe('Entries that changed this thing.'),
  lmsUserId: z.int().min(1).max(INT32).optional().describe('Entries with a change about this learner.'),
  learnerEmail: z
    .string()
    .max(254)
    .transform(foldEmail)
    .optional()
    .describe('Entries with a change about the learner of this address, in any case of its letters.'),
  actorUserId: z.int().min(1).max(INT32).optional().describe('Entries of this user.'),
  operation: z
    .string()
    // Names are ASCII; MariaDB compares them with nothing else.
    .regex(/^[!-~]{1,100}$/)
    .optional()
    .describe('Entries of this operation, job or event.'),
  correlationId: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('Entries of the call with this correlation id, and entries with a change that follows it.'),
  createdFrom: instant().optional().describe('Entries of this time or later.'),
  createdTo: instant().optional().describe('Entries before this time.'),
};

export const list = defineContract({
  summary: 'Who changed what, newest first.',
  kind: 'query',
  permission,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/audit/entries/' },
  input: z.object({ ...filterFields, ...keysetInput({ defaultSize: 20, maximumSize: 100 }) }),
  output: keysetOutput(auditEntry),
  errors: [],
});

export const get = defineContract({
  summary: 'One entry of the audit trail, and its changes page by page.',
  kind: 'query',
  permission,
  context: { from: 'auditEntry', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/audit/entries/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Entry.'), ...keysetInput({ defaultSize: 100, maximumSize: 1_000 }) }),
  output: z.object({
    ...entryFields,
    changeCount: z.int().min(0).describe('Number of all changes.'),
    ...keysetOutput(auditChange).shape,
  }),
  errors: [],
});

export const timelineItem = z
  .object({
    entryUuid: z.string().describe('Entry of the audit trail.'),
    created: z.date().describe('When it happened.'),
    sentence: z.string().describe('What happened, for people to read.'),
    correlationId: z.string().describe('Shared by everything that followed from one call.'),
    change: auditChange.describe('The same as data.'),
  })
  .meta({ title: 'AuditTimelineItem' });

export const timeline = defineContract({
  summary: 'The life of one thing in sentences.',
  kind: 'query',
  permission,
  context: { from: 'auditSubject', field: 'subjectUuid' },
  rest: { method: 'GET', path: '/api/v1/audit/subjects/{subjectUuid}/timeline/' },
  input: z.object({
    subjectUuid: uuid().describe('The thing: a policy, an assignment, a redemption and so on.'),
    order: z.enum(['oldest', 'newest']).default('oldest').describe('Which come first.'),
    ...keysetInput({ defaultSize: 50, maximumSize: 100 }),
  }),
  output: keysetOutput(timelineItem),
  errors: [],
});

export const followup = z
  .object({
    uuid: z.string().describe('Identifies the message; that of a job is also the id of the job.'),
    kind: z.enum(['event', 'job']).describe('An event for other services, or work for our own.'),
    name: z.string().describe('Type of the event, or name of the job.'),
    enterpriseCustomerUuid: z.string().nullable().describe('Customer that it is about.'),
    created: z.date().describe('When it was asked for.'),
    sent: z.date().nullable().describe('When it was handed over; null as long as it waits.'),
  })
  .meta({ title: 'AuditFollowup' });

export const followups = defineContract({
  summary: 'Jobs and events that followed from one call, in their order, as long as sent messages are kept.',
  kind: 'query',
  permission,
  context: customer,
  rest: { method: 'GET', path: '/api/v1/audit/followups/' },
  input: z.object({
    correlationId: z.string().min(1).max(255).describe('Correlation id of the call.'),
    enterpriseCustomerUuid,
    ...keysetInput({ defaultSize: 100, maximumSize: 1_000 }),
  }),
  output: keysetOutput(followup),
  errors: [],
});

const format = z.enum(['csv', 'jsonl']);

export const exportEntries = defineContract({
  summary: 'Write the entries of a filter to a file, by a job: one line for each change, oldest first.',
  kind: 'mutation',
  permission,
  context: customer,
  rest: { method: 'POST', path: '/api/v1/audit/exports/', status: 202 },
  input: z.object({ ...filterFields, format: format.default('csv').describe('CSV, or a JSON object in each line.') }),
  output: z.object({
    uuid: z.string().describe('The export.'),
    jobUuid: z.string().describe('The job that writes it; follow it with `jobs.get` or `jobs.progress`.'),
  }),
  errors: [],
});

export const exportPart = defineContract({
  summary: 'One part of an export; all parts in their order, put together, are the file.',
  kind: 'query',
  permission,
  context: { from: 'auditExport', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/audit/exports/{uuid}/parts/' },
  input: z.object({
    uuid: uuid().describe('The export.'),
    cursor: z.string().max(200).optional().describe('Where to go on: `nextCursor` of the part before.'),
  }),
  output: z.object({
    format: format.describe('How the content is written.'),
    content: z.string().describe('Text of this part; empty if there is none yet.'),
    lineCount: z.int().min(0).describe('Changes in this part.'),
    nextCursor: z
      .string()
      .nullable()
      .describe('Give it as `cursor` for the next part, which may not be written yet; null after the last one.'),
  }),
  errors: [],
});
