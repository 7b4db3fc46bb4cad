import { createHash } from 'node:crypto';
import { type Database, type Transaction, transaction } from '@enterprise-access/db';
import { z } from 'zod';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid, uuid as uuidSchema } from '../kernel/ids.ts';
import { enqueue } from '../kernel/jobs/job.ts';
import { type Versioned, type Watch, watch } from '../kernel/jobs/watch.ts';
import { keyOf, keysetPage } from '../kernel/keyset.ts';
import type { Answer } from '../kernel/rpc.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { Workflow } from '../kernel/workflow.ts';
import * as contract from './contract.ts';
import { runWorkflow } from './engine.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'workflowOf'>;

const summaryOf = ({ workflowOf }: Pick<Runtime, 'workflowOf'>, row: store.WorkflowRow): contract.WorkflowSummary => ({
  uuid: row.uuid,
  kind: row.kind,
  version: row.version,
  key: row.idempotencyKey,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  status: row.status,
  position: row.position,
  stepCount: workflowOf(row.kind, row.version)?.steps.length ?? row.position,
  error: row.error,
  wakeAt: row.wakeAt,
  correlationId: row.correlationId,
  created: row.created,
  modified: row.modified,
  finished: row.finished,
});

async function viewOf(deps: Deps, row: store.WorkflowRow): Promise<contract.WorkflowView> {
  const records = new Map((await store.stepsOf(deps.db, row.uuid)).map((step) => [step.position, step]));
  const steps = deps.workflowOf(row.kind, row.version)?.steps ?? [];
  return {
    ...summaryOf(deps, row),
    steps: steps.map(({ name, spec: { title } }, position) => {
      const record = records.get(position);
      return {
        name,
        title,
        status: record?.status ?? (position === row.position && row.status === 'waiting' ? 'waiting' : null),
        attempts: [...(record?.attempts ?? [])],
        reason: record?.reason ?? null,
        started: record?.started ?? null,
        ended: record?.ended ?? null,
      };
    }),
  };
}

export async function list(deps: Deps, input: Input<typeof contract.list>): Promise<Output<typeof contract.list>> {
  const after = keyOf(uuidSchema(), input.cursor);
  const rows = await store.pageOfWorkflows(deps.db, input, { after, limit: input.pageSize + 1 });
  const page = keysetPage(rows, input.pageSize, ({ uuid }) => uuid);
  return { ...page, items: page.items.map((row) => summaryOf(deps, row)) };
}

export async function get(deps: Deps, uuid: string): Promise<contract.WorkflowView> {
  const row = await store.find(deps.db, uuid);
  if (!row) throw notFound({});
  return viewOf(deps, row);
}

type Acts = Deps & Pick<Runtime, 'clock'>;

/** Changes a workflow that nobody may change meanwhile, and lets a worker carry it on. */
async function act(
  deps: Acts,
  uuid: string,
  change: (trx: Transaction, row: store.WorkflowRow, now: Date) => Promise<void>,
): Promise<contract.WorkflowView> {
  await transaction(deps.db, async (trx) => {
    const row = await store.hold(trx, uuid);
    if (!row) throw notFound({});
    const now = deps.clock();
    await change(trx, row, now);
    const { enterpriseCustomerUuid } = row;
    await enqueue(trx, now, runWorkflow, { workflowUuid: uuid, enterpriseCustomerUuid });
  });
  return get(deps, uuid);
}

const assertStatus = ({ status }: store.WorkflowRow, ...allowed: contract.WorkflowStatus[]): void => {
  if (!allowed.includes(status)) throw contract.notPossible({ status });
};

export const resume = (deps: Acts, { uuid }: Input<typeof contract.resume>): Promise<contract.WorkflowView> =>
  act(deps, uuid, async (trx, row, now) => {
    assertStatus(row, 'failed', 'waiting', 'running');
    const step = (await store.stepsOf(trx, uuid)).find(({ position }) => position === row.position);
    // The attempts so far stay to be read, and no longer count.
    if (step) await store.writeStep(trx, { ...step, status: 'running', attemptCount: 0 });
    await store.update(trx, uuid, { status: 'running', wakeAt: null, error: null, modified: now });
    store.note(trx, row, 'resumed');
  });

/** Lets a failed workflow go on with another input; steps that are done stay as they are. */
export async function restart(
  { clock }: Pick<Runtime, 'clock'>,
  trx: Transaction,
  uuid: string,
  input: unknown,
): Promise<void> {
  const row = await store.hold(trx, uuid);
  // Somebody else has let it go on.
  if (row?.status !== 'failed') return;
  const now = clock();
  const step = (await store.stepsOf(trx, row.uuid)).find(({ position }) => position === row.position);
  if (step) await store.writeStep(trx, { ...step, status: 'running', attemptCount: 0 });
  await store.update(trx, row.uuid, {
    input: store.stored(input),
    status: 'running',
    wakeAt: null,
    error: null,
    modified: now,
  });
  store.note(trx, row, 'restarted');
  const { enterpriseCustomerUuid } = row;
  await enqueue(trx, now, runWorkflow, { workflowUuid: row.uuid, enterpriseCustomerUuid });
}

const stepAt = (deps: Deps, row: store.WorkflowRow, position: number) =>
  deps.workflowOf(row.kind, row.version)?.steps[position];

export const skip = (deps: Acts, input: Input<typeof contract.skip>): Promise<contract.WorkflowView> =>
  act(deps, input.uuid, async (trx, row, now) => {
    assertStatus(row, 'failed', 'waiting');
    const step = stepAt(deps, row, row.position);
    if (!step || step.name !== input.step)
      throw invalidInput({ fields: { step: [`The workflow stands at ${step?.name ?? 'its end'}.`] } });
    const output = step.spec.output.safeParse(input.output);
    if (!output.success) throw invalidInput({ fields: { output: [z.prettifyError(output.error)] } });
    const before = (await store.stepsOf(trx, row.uuid)).find(({ position }) => position === row.position);
    await store.writeStep(trx, {
      workflowUuid: row.uuid,
      position: row.position,
      enterpriseCustomerUuid: row.enterpriseCustomerUuid,
      name: step.name,
      attemptCount: before?.attemptCount ?? 0,
      attempts: before?.attempts ?? [],
      started: before?.started ?? now,
      status: 'skipped',
      output: store.stored(output.data),
      reason: input.reason,
      ended: now,
    });
    const isLast = row.position + 1 === deps.workflowOf(row.kind, row.version)?.steps.length;
    await store.update(trx, row.uuid, {
      position: row.position + 1,
      status: isLast ? 'succeeded' : 'running',
      wakeAt: null,
      error: null,
      modified: now,
      ...(isLast ? { finished: now } : {}),
    });
    store.note(trx, row, `skipped ${step.name}`);
  });

export const cancel = (deps: Acts, { uuid }: Input<typeof contract.cancel>): Promise<contract.WorkflowView> =>
  act(deps, uuid, async (trx, row, now) => {
    assertStatus(row, 'failed', 'waiting', 'running');
    await store.update(trx, uuid, { status: 'cancelling', wakeAt: null, modified: now });
    store.note(trx, row, 'cancelled');
  });

/** Starts a new workflow from a step; the steps before it count as done, with what they have made. */
export async function fork(deps: Acts, input: Input<typeof contract.fork>): Promise<contract.WorkflowView> {
  const uuid = newUuid();
  await transaction(deps.db, async (trx) => {
    const row = await store.hold(trx, input.uuid);
    if (!row) throw notFound({});
    assertStatus(row, 'succeeded', 'failed', 'cancelled');
    const workflow: Workflow | undefined = deps.workflowOf(row.kind, row.version);
    const position = workflow?.steps.findIndex(({ name }) => name === input.step) ?? -1;
    const earlier = (await store.stepsOf(trx, row.uuid)).filter((step) => step.position < position);
    if (
      position === -1 ||
      earlier.some(({ status }) => status !== 'succeeded' && status !== 'skipped') ||
      earlier.length < position
    )
      throw invalidInput({ fields: { step: ['The steps before it are not done.'] } });
    const now = deps.clock();
    const begun = { status: 'running', position, output: null, wakeAt: null, error: null, finished: null } as const;
    const idempotencyKey = `${row.idempotencyKey.slice(0, 200)}#${uuid}`;
    await store.insert(trx, { ...row, ...begun, uuid, idempotencyKey, created: now, modified: now });
    await store.insertSteps(
      trx,
      earlier.map((step) => ({ ...step, workflowUuid: uuid })),
    );
    store.note(trx, row, `forked from ${input.step}`);
    const { enterpriseCustomerUuid } = row;
    await enqueue(trx, now, runWorkflow, { workflowUuid: uuid, enterpriseCustomerUuid });
  });
  return get(deps, uuid);
}

const watches = new WeakMap<Database, Watch<contract.WorkflowView>>();

const versioned = (value: contract.WorkflowView): Versioned<contract.WorkflowView> => ({
  version: createHash('sha256').update(JSON.stringify(value)).digest('base64url'),
  value,
});

/** One poller for all followers of this process. */
function watchOf(deps: Deps & Pick<Runtime, 'log'>): Watch<contract.WorkflowView> {
  const known = watches.get(deps.db);
  if (known) return known;
  const made = watch<contract.WorkflowView>({
    log: deps.log,
    async read(uuids) {
      const rows = await Promise.all(uuids.map((uuid) => store.find(deps.db, uuid)));
      const views = await Promise.all(rows.flatMap((row) => (row ? [viewOf(deps, row)] : [])));
      return new Map(views.map((view) => [view.uuid, versioned(view)]));
    },
  });
  watches.set(deps.db, made);
  return made;
}

const hasEnded = ({ status }: contract.WorkflowView): boolean =>
  status === 'succeeded' || status === 'failed' || status === 'cancelled';

export async function* follow(
  deps: Deps & Pick<Runtime, 'log'>,
  { uuid, lastEventId }: Input<typeof contract.progress>,
  signal: AbortSignal,
): AsyncGenerator<Answer<contract.WorkflowView>> {
  for await (const state of watchOf(deps).follow(uuid, signal)) {
    if (!state) throw notFound({});
    if (state.version !== lastEventId) yield { id: state.version, value: state.value };
    if (hasEnded(state.value)) return;
  }
}
