import {
  currentOrigin,
  type Lease,
  LeaseLost,
  type Origin,
  systemOrigin,
  type Transaction,
  transaction,
  underLease,
  withOrigin,
} from '@enterprise-access/db';
import type { z } from 'zod';
import { z as zod } from 'zod';
import { newUuid } from '../kernel/ids.ts';
import { defineJob, enqueue } from '../kernel/jobs/job.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { AnyStep, OwnStep, RemoteStep, StepContext, WaitStep, Workflow } from '../kernel/workflow.ts';
import {
  causeOf,
  KEPT_ATTEMPTS,
  nextAttempt,
  STANDARD_RETRY,
  STANDARD_TIMEOUT_SECONDS,
  sentenceOf,
} from './failures.ts';
import * as store from './store.ts';
import { type StoredAttempt, workflows } from './tables.ts';

/** Carries a workflow on in a worker. */
export const runWorkflow = defineJob({
  name: 'workflow.run',
  summary: 'Carry a workflow on from the step where it stands.',
  payload: zod.object({ workflowUuid: zod.guid(), enterpriseCustomerUuid: zod.guid().nullable() }),
  result: zod.object({ state: zod.string().describe('Where the workflow stands afterwards.') }),
  keyOf: ({ workflowUuid }) => workflowUuid,
  // Each attempt of a step that can be repeated ends an attempt of the job, which waits and goes on.
  retry: { limit: 1_000, interruptions: 1_000, delaySeconds: 1, maximumDelaySeconds: 60 },
  timeoutSeconds: 3_600,
});

export interface Started {
  readonly uuid: string;
  /** False if the key has a workflow already, running or ended. */
  readonly isNew: boolean;
}

/**
 * Starts a workflow in the transaction of what it follows from, unless there is one for the key. A worker carries it
 * on; a caller who wants to wait can do so with `advance`.
 */
export async function start<I extends z.ZodObject>(
  runtime: Pick<Runtime, 'clock'>,
  trx: Transaction,
  workflow: Workflow<I>,
  { key, customer, input }: { readonly key: string; readonly customer: string | null; readonly input: z.output<I> },
): Promise<Started> {
  const now = runtime.clock();
  const { kind, version } = workflow.spec;
  const uuid = newUuid();
  const isNew = await store.insert(trx, {
    uuid,
    enterpriseCustomerUuid: customer,
    kind,
    version,
    idempotencyKey: key,
    status: 'running',
    input: store.stored(input),
    output: null,
    position: 0,
    wakeAt: null,
    error: null,
    correlationId: currentOrigin()?.correlationId ?? uuid,
    created: now,
    modified: now,
    finished: null,
  });
  if (!isNew) {
    const known = await store.findByKey(trx, kind, key);
    if (!known) throw new Error(`The workflow ${kind} ${key} was deleted meanwhile.`);
    return { uuid: known.uuid, isNew: false };
  }
  await enqueue(trx, now, runWorkflow, { workflowUuid: uuid, enterpriseCustomerUuid: customer });
  return { uuid, isNew: true };
}

/** Tells a workflow that something has happened; true for the first signal of that name. Wakes it. */
export async function signal(
  runtime: Pick<Runtime, 'clock'>,
  trx: Transaction,
  workflowUuid: string,
  name: string,
  payload: unknown,
): Promise<boolean> {
  const row = await store.hold(trx, workflowUuid);
  if (!row) return false;
  const { enterpriseCustomerUuid } = row;
  const created = runtime.clock();
  const isFirst = await store.insertSignal(trx, {
    workflowUuid,
    name,
    enterpriseCustomerUuid,
    payload: store.stored(payload),
    created,
  });
  if (isFirst && row.status === 'waiting')
    await enqueue(trx, created, runWorkflow, { workflowUuid, enterpriseCustomerUuid });
  return isFirst;
}

/** Where a workflow stands after an executor has left it; `busy`: another executor has it. */
export type Advance = 'succeeded' | 'failed' | 'waiting' | 'retrying' | 'cancelled' | 'busy';

/** A workflow of a kind or version that this release does not know; another release may. */
export class UnknownWorkflow extends Error {
  override readonly name = 'UnknownWorkflow';
}

/**
 * Carries a workflow on until it has ended, must wait, or is to try a step again later. One executor at a time: it has a
 * lease, and everything that it writes is refused once another has taken it over.
 */
export async function advance(runtime: Runtime, uuid: string, stop: AbortSignal): Promise<Advance> {
  try {
    return (
      (await underLease(runtime.db, workflows.table, { uuid }, (lease) =>
        executor(runtime, uuid, lease, AbortSignal.any([stop, lease.signal])),
      )) ?? 'busy'
    );
  } catch (error) {
    if (error instanceof LeaseLost) return 'busy';
    throw error;
  }
}

/** Everything that an executor needs at hand. */
interface Execution {
  readonly runtime: Runtime;
  readonly lease: Lease;
  readonly stop: AbortSignal;
  readonly workflow: Workflow;
  readonly row: store.WorkflowRow;
  readonly steps: Map<number, store.StepRow>;
  readonly context: {
    readonly workflow: StepContext['workflow'];
    readonly input: unknown;
    results: Record<string, unknown>;
  };
}

const ended = { succeeded: 'succeeded', failed: 'failed', cancelled: 'cancelled' } as const;

async function executor(runtime: Runtime, uuid: string, lease: Lease, stop: AbortSignal): Promise<Advance> {
  const row = await store.find(runtime.db, uuid);
  if (!row) return 'cancelled';
  if (row.status in ended) return ended[row.status as keyof typeof ended];
  const workflow = runtime.workflowOf(row.kind, row.version);
  if (!workflow) throw new UnknownWorkflow(`${row.kind} version ${row.version}`);
  const steps = new Map((await store.stepsOf(runtime.db, uuid)).map((step) => [step.position, step]));
  const results = Object.fromEntries(
    [...steps.values()].flatMap(({ position, name, output }) =>
      position < row.position ? [[name, store.restored(output)]] : [],
    ),
  );
  const context = {
    workflow: { uuid, key: row.idempotencyKey, customer: row.enterpriseCustomerUuid },
    input: store.restored(row.input),
    results,
  };
  const execution: Execution = { runtime, lease, stop, workflow, row, steps, context };
  return row.status === 'cancelling' ? compensate(execution) : walk(execution);
}

async function walk(execution: Execution): Promise<Advance> {
  const { workflow, row, stop } = execution;
  for (let position = row.position; position < workflow.steps.length; position += 1) {
    stop.throwIfAborted();
    const step = workflow.steps[position];
    if (!step) break;
    const left = await attempt(execution, step, position);
    if (left !== null) return left;
  }
  return 'succeeded';
}

/** The origin of what a step changes: it names the workflow and the step. */
const originOf = ({ row }: Execution, step: AnyStep): Origin =>
  systemOrigin({
    operation: `${row.kind}.${step.name}`,
    source: 'job',
    requestId: row.uuid,
    correlationId: row.correlationId,
    customerUuid: row.enterpriseCustomerUuid,
    reason: `Workflow ${row.uuid}`,
  });

/** One attempt at a step; null when the next step can begin. */
async function attempt(execution: Execution, step: AnyStep, position: number): Promise<Advance | null> {
  const started = execution.runtime.clock();
  try {
    return await withOrigin(originOf(execution, step), () => performed(execution, step, position, started));
  } catch (error) {
    if (error instanceof LeaseLost || execution.stop.aborted) throw error;
    return await withOrigin(originOf(execution, step), () => failed(execution, step, position, started, error));
  }
}

function performed(execution: Execution, step: AnyStep, position: number, started: Date): Promise<Advance | null> {
  switch (step.kind) {
    case 'own':
      return own(execution, step.spec as OwnStep<unknown, unknown, z.ZodType>, step, position, started);
    case 'remote':
      return remote(execution, step.spec as RemoteStep<unknown, unknown, z.ZodType>, step, position, started);
    case 'wait':
      return wait(execution, step.spec as WaitStep<unknown, unknown, z.ZodType>, step, position, started);
  }
}

/** The effect commits with its record: there is nothing between them. */
async function own(
  execution: Execution,
  spec: OwnStep<unknown, unknown, z.ZodType>,
  step: AnyStep,
  position: number,
  started: Date,
): Promise<null> {
  const { runtime, lease, context } = execution;
  const output = await lease.write(async (trx) => {
    const made = spec.output.parse(await spec.commit(trx, { ...context, runtime }));
    await done(execution, trx, step, position, started, made);
    return made;
  });
  context.results[step.name] = output;
  return null;
}

/** Stores that the step is done, and where the workflow stands. */
async function done(
  execution: Execution,
  trx: Transaction,
  step: AnyStep,
  position: number,
  started: Date,
  output: unknown,
): Promise<void> {
  const { runtime, row, workflow, steps } = execution;
  const now = runtime.clock();
  const before = steps.get(position);
  const success: StoredAttempt = { started: started.toISOString(), ended: now.toISOString(), error: null, cause: null };
  const record: store.StepRow = {
    workflowUuid: row.uuid,
    position,
    enterpriseCustomerUuid: row.enterpriseCustomerUuid,
    name: step.name,
    status: 'succeeded',
    output: store.stored(output),
    attemptCount: (before?.attemptCount ?? 0) + 1,
    attempts: [...(before?.attempts ?? []), success].slice(-KEPT_ATTEMPTS),
    reason: null,
    started: before?.started ?? started,
    ended: now,
  };
  await (before ? store.writeStep(trx, record) : store.insertStep(trx, record));
  const isLast = position + 1 === workflow.steps.length;
  await store.update(trx, row.uuid, {
    position: position + 1,
    status: isLast ? 'succeeded' : 'running',
    wakeAt: null,
    error: null,
    modified: now,
    ...(isLast ? { finished: now, output: store.stored({ ...execution.context.results, [step.name]: output }) } : {}),
  });
}

const limitOf = (step: { readonly timeoutSeconds?: number }): number =>
  (step.timeoutSeconds ?? STANDARD_TIMEOUT_SECONDS) * 1_000;

/** Runs calls to other services within the step's time limit, even if they do not heed the signal. */
async function inTime<T>(stop: AbortSignal, limitMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = AbortSignal.any([stop, AbortSignal.timeout(limitMs)]);
  const over = new Promise<never>((_resolve, reject) => {
    limit.addEventListener('abort', () => reject(limit.reason), { once: true });
  });
  return Promise.race([work(limit), over]);
}

async function remote(
  execution: Execution,
  spec: RemoteStep<unknown, unknown, z.ZodType>,
  step: AnyStep,
  position: number,
  started: Date,
): Promise<null> {
  const { runtime, lease, stop, context } = execution;
  const output = await inTime(stop, limitOf(spec), async (signal) => {
    const remoteContext = { ...context, runtime, signal };
    const found = await spec.find(remoteContext);
    if (found !== null) return spec.output.parse(found);
    // Another executor may have taken over while the effect was looked up.
    await lease.write(async () => undefined);
    signal.throwIfAborted();
    return spec.output.parse(await spec.make(remoteContext));
  });
  await lease.write(async (trx) => {
    await spec.settle?.(trx, { ...context, runtime }, output);
    await done(execution, trx, step, position, started, output);
  });
  context.results[step.name] = output;
  return null;
}

const LOOK_AGAIN_MS = 60_000;

async function wait(
  execution: Execution,
  spec: WaitStep<unknown, unknown, z.ZodType>,
  step: AnyStep,
  position: number,
  started: Date,
): Promise<Advance | null> {
  const { runtime, lease, stop, context, row } = execution;
  const told = await store.signalOf(runtime.db, row.uuid, step.name);
  const found =
    told === undefined
      ? await inTime(
          stop,
          limitOf(spec),
          (signal) => spec.look?.({ ...context, runtime, signal }) ?? Promise.resolve(null),
        )
      : (store.restored(told) ?? null);
  const now = runtime.clock();
  const wakeAt = spec.wakeAt?.(context, now) ?? new Date(now.getTime() + LOOK_AGAIN_MS);
  const isOver = spec.wakeAt !== undefined && spec.look === undefined && wakeAt <= now;
  if (found !== null || told !== undefined || isOver) {
    const output = spec.output.parse(found);
    await lease.write((trx) => done(execution, trx, step, position, started, output));
    context.results[step.name] = output;
    return null;
  }
  return lease.write(async (trx) => {
    // A signal that came after it was looked for has seen no waiting workflow to wake.
    if ((await store.signalOf(trx, row.uuid, step.name)) !== undefined) return 'retrying';
    await store.update(trx, row.uuid, { status: 'waiting', wakeAt, modified: now });
    return 'waiting';
  });
}

/** Records a failure, and whether the workflow ends with it or tries again. */
async function failed(
  execution: Execution,
  step: AnyStep,
  position: number,
  started: Date,
  error: unknown,
): Promise<Advance> {
  const { runtime, lease, row, steps, workflow, context } = execution;
  const now = runtime.clock();
  const before = steps.get(position);
  const attemptCount = (before?.attemptCount ?? 0) + 1;
  const { title, retry = STANDARD_RETRY } = step.spec;
  const sentence = `${title}: ${sentenceOf(error)}`;
  const failure: StoredAttempt = {
    started: started.toISOString(),
    ended: now.toISOString(),
    error: sentence,
    cause: causeOf(error),
  };
  const wakeAt = nextAttempt(retry, attemptCount, error, now);
  runtime.log.warn(
    { workflow: row.uuid, kind: row.kind, step: step.name, attempt: attemptCount, isLast: wakeAt === null },
    'a step of a workflow failed',
  );
  await lease.write(async (trx) => {
    if (wakeAt === null)
      await workflow.spec.onFailure?.(
        trx,
        { ...context, input: context.input as never, runtime },
        { step: step.name, sentence, cause: causeOf(error) },
      );
    await store.writeStep(trx, {
      workflowUuid: row.uuid,
      position,
      enterpriseCustomerUuid: row.enterpriseCustomerUuid,
      name: step.name,
      status: wakeAt === null ? 'failed' : 'running',
      output: null,
      attemptCount,
      attempts: [...(before?.attempts ?? []), failure].slice(-KEPT_ATTEMPTS),
      reason: null,
      started: before?.started ?? started,
      ended: null,
    });
    await store.update(trx, row.uuid, {
      status: wakeAt === null ? 'failed' : 'running',
      error: sentence,
      wakeAt,
      modified: now,
    });
  });
  return wakeAt === null ? 'failed' : 'retrying';
}

/** Takes back what the steps have made, the latest first. */
async function compensate(execution: Execution): Promise<Advance> {
  const { runtime, lease, row, workflow, steps, stop } = execution;
  for (let position = row.position - 1; position >= 0; position -= 1) {
    stop.throwIfAborted();
    const step = workflow.steps[position];
    const record = steps.get(position);
    if (!step || record?.status !== 'succeeded') continue;
    try {
      await withOrigin(originOf(execution, step), () => takenBack(execution, step, record));
    } catch (error) {
      if (error instanceof LeaseLost || stop.aborted) throw error;
      const sentence = `${step.spec.title} could not be taken back: ${sentenceOf(error)}`;
      runtime.log.warn({ workflow: row.uuid, step: step.name }, 'a step of a workflow could not be taken back');
      await lease.write((trx) =>
        store.update(trx, row.uuid, {
          error: sentence,
          wakeAt: new Date(runtime.clock().getTime() + LOOK_AGAIN_MS),
          modified: runtime.clock(),
        }),
      );
      return 'retrying';
    }
  }
  const now = runtime.clock();
  await lease.write((trx) =>
    store.update(trx, row.uuid, { status: 'cancelled', wakeAt: null, modified: now, finished: now }),
  );
  return 'cancelled';
}

async function takenBack(execution: Execution, step: AnyStep, record: store.StepRow): Promise<void> {
  const { runtime, lease, stop, context } = execution;
  const output = store.restored(record.output) as never;
  const undone = (trx: Transaction) => store.writeStep(trx, { ...record, status: 'undone', ended: runtime.clock() });
  if (step.kind === 'own') {
    const { undo } = step.spec as OwnStep<unknown, unknown, z.ZodType>;
    await lease.write(async (trx) => {
      await undo?.(trx, { ...context, runtime }, output);
      await undone(trx);
    });
    return;
  }
  if (step.kind === 'remote') {
    const spec = step.spec as RemoteStep<unknown, unknown, z.ZodType>;
    await inTime(stop, limitOf(spec), async (signal) => spec.undo?.({ ...context, runtime, signal }, output));
  }
  await lease.write(undone);
}

/** Enqueues a run of every workflow that should go on and that nobody works on; returns their number. */
export async function wakeDue(runtime: Pick<Runtime, 'db' | 'clock'>, limit: number): Promise<number> {
  const rows = await store.due(runtime.db, runtime.clock(), limit);
  if (rows.length > 0)
    await transaction(runtime.db, async (trx) => {
      for (const { uuid: workflowUuid, enterpriseCustomerUuid } of rows)
        await enqueue(trx, runtime.clock(), runWorkflow, { workflowUuid, enterpriseCustomerUuid });
    });
  return rows.length;
}
