import type { Transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { Runtime } from './runtime.ts';

/** How often and how soon a step is tried again after a failure that may pass. */
export interface RetryPolicy {
  /** Attempts in all before the workflow fails. */
  readonly attempts: number;
  /** Seconds before the second attempt; doubled each time. */
  readonly delaySeconds: number;
  readonly maximumDelaySeconds: number;
}

/** What a step sees of its workflow. */
export interface StepContext<Input = unknown, Results = unknown> {
  readonly workflow: { readonly uuid: string; readonly key: string; readonly customer: string | null };
  readonly input: Input;
  /** Outputs of the steps before, by their names. */
  readonly results: Results;
}

/** What a step that calls other services sees. */
export interface RemoteContext<Input, Results> extends StepContext<Input, Results> {
  readonly runtime: Runtime;
  /** Aborted at the step's time limit, when the process stops, and when another executor has taken over. */
  readonly signal: AbortSignal;
}

interface CommonStep<Output extends z.ZodType> {
  /** For people: `Create the customer`. */
  readonly title: string;
  readonly output: Output;
  readonly retry?: RetryPolicy;
  /** Time limit of an attempt. */
  readonly timeoutSeconds?: number;
}

/** A step whose effect is in our own database: it commits together with the record of the step. */
export interface OwnStep<Input, Results, Output extends z.ZodType> extends CommonStep<Output> {
  readonly commit: (
    trx: Transaction,
    context: StepContext<Input, Results> & { readonly runtime: Runtime },
  ) => Promise<z.input<Output>>;
  /** Takes the effect back when the workflow is cancelled. */
  readonly undo?: (
    trx: Transaction,
    context: StepContext<Input, Results> & { readonly runtime: Runtime },
    output: z.output<Output>,
  ) => Promise<void>;
}

/** A step whose effect is in another service. It is looked up by its key before it is made, so that it is made once. */
export interface RemoteStep<Input, Results, Output extends z.ZodType> extends CommonStep<Output> {
  /** The effect if it is there already: of an earlier attempt, or of somebody else. */
  readonly find: (context: RemoteContext<Input, Results>) => Promise<z.input<Output> | null>;
  readonly make: (context: RemoteContext<Input, Results>) => Promise<z.input<Output>>;
  /** Own rows that belong to the effect; commits together with the record of the step. */
  readonly settle?: (
    trx: Transaction,
    context: StepContext<Input, Results> & { readonly runtime: Runtime },
    output: z.output<Output>,
  ) => Promise<void>;
  /** Takes the effect back when the workflow is cancelled. Can run again after a crash. */
  readonly undo?: (context: RemoteContext<Input, Results>, output: z.output<Output>) => Promise<void>;
}

/** A step that waits for a signal, or for a time, without occupying a worker. */
export interface WaitStep<Input, Results, Output extends z.ZodType> extends CommonStep<Output> {
  /** What is waited for if it is there already; asked before the workflow waits, and each time it wakes. */
  readonly look?: (context: RemoteContext<Input, Results>) => Promise<z.input<Output> | null>;
  /** At this time the workflow wakes and looks again; default a minute later. */
  readonly wakeAt?: (context: StepContext<Input, Results>, now: Date) => Date;
}

export type AnyStep =
  | { readonly kind: 'own'; readonly name: string; readonly spec: OwnStep<never, never, z.ZodType> }
  | { readonly kind: 'remote'; readonly name: string; readonly spec: RemoteStep<never, never, z.ZodType> }
  | { readonly kind: 'wait'; readonly name: string; readonly spec: WaitStep<never, never, z.ZodType> };

/** A failure that ends the attempts, as people and staff see it. */
export interface StepFailure {
  readonly step: string;
  /** A sentence without internals and personal data. */
  readonly sentence: string;
  /** For staff: the error's own words. */
  readonly cause: string;
}

export interface WorkflowSpec<Input extends z.ZodObject> {
  /** `provisioning.customer` */
  readonly kind: string;
  /** Workflows end with the version with which they began; a changed list of steps is a new version. */
  readonly version: number;
  readonly title: string;
  readonly input: Input;
  /** Own rows that tell of a failure; commits together with the record of it. */
  readonly onFailure?: (
    trx: Transaction,
    context: StepContext<z.output<Input>, Readonly<Record<string, unknown>>> & { readonly runtime: Runtime },
    failure: StepFailure,
  ) => Promise<void>;
}

/** A workflow as data: ordered steps with typed input and output. */
export interface Workflow<Input extends z.ZodObject = z.ZodObject, Results = unknown> {
  readonly spec: WorkflowSpec<Input>;
  readonly steps: readonly AnyStep[];
  /** Only carries the type. */
  readonly results?: Results;
}

/** Most steps of a workflow. */
const MAXIMUM_STEPS = 100;

/** Collects the steps of a workflow in their order; each sees the outputs of those before it. */
export interface WorkflowBuilder<Input extends z.ZodObject, Results> extends Workflow<Input, Results> {
  own<N extends string, O extends z.ZodType>(
    name: N,
    spec: OwnStep<z.output<Input>, Results, O>,
  ): WorkflowBuilder<Input, Results & { readonly [K in N]: z.output<O> }>;
  remote<N extends string, O extends z.ZodType>(
    name: N,
    spec: RemoteStep<z.output<Input>, Results, O>,
  ): WorkflowBuilder<Input, Results & { readonly [K in N]: z.output<O> }>;
  wait<N extends string, O extends z.ZodType>(
    name: N,
    spec: WaitStep<z.output<Input>, Results, O>,
  ): WorkflowBuilder<Input, Results & { readonly [K in N]: z.output<O> }>;
}

/** Declares a workflow; add its steps with `own`, `remote` and `wait`. */
export const defineWorkflow = <Input extends z.ZodObject>(spec: WorkflowSpec<Input>): WorkflowBuilder<Input, unknown> =>
  builderOf(spec, []);

function builderOf<Input extends z.ZodObject, Results>(
  spec: WorkflowSpec<Input>,
  steps: readonly AnyStep[],
): WorkflowBuilder<Input, Results> {
  const add = (kind: AnyStep['kind']) => (name: string, step: object) => {
    if (steps.some((each) => each.name === name)) throw new Error(`${spec.kind} has two steps named ${name}.`);
    if (steps.length === MAXIMUM_STEPS) throw new Error(`${spec.kind} has more than ${MAXIMUM_STEPS} steps.`);
    return builderOf(spec, [...steps, { kind, name, spec: step } as never]) as never;
  };
  return { spec, steps, own: add('own'), remote: add('remote'), wait: add('wait') };
}

/** The workflows of the service by kind and version. */
export type WorkflowOf = (kind: string, version: number) => Workflow | undefined;
