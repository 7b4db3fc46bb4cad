import {
  appendOnceToOutbox,
  appendToOutbox,
  claimMessage,
  type OutboxMessage,
  type Transaction,
  transaction,
} from '@enterprise-access/db';
import type { z } from 'zod';
import { newUuid, uuidOf } from '../ids.ts';
import type { Runtime } from '../runtime.ts';
import { customerOf, insertRun } from './runs.ts';

/** A background job as data, like a contract: what it is given, what it reports, how often it is tried. */
export interface JobContract<P extends z.ZodObject = z.ZodObject, R extends z.ZodObject = z.ZodObject> {
  /** `slice.verb`; also the name of its queue and of its command. */
  readonly name: string;
  /** One sentence for operators. */
  readonly summary: string;
  readonly payload: P;
  /** Numbers and flags for operators; never personal data. */
  readonly result: R;
  /** Jobs with one key run one after the other, in the order in which they were asked for. */
  readonly keyOf?: (payload: z.infer<P>) => string;
  readonly retry: {
    /** Attempts after the first; then the job is a dead letter. */
    readonly limit: number;
    /** Before the second attempt, in seconds; doubled each time, with jitter. */
    readonly delaySeconds: number;
    readonly maximumDelaySeconds: number;
  };
  /** An attempt that takes longer counts as failed, in seconds. */
  readonly timeoutSeconds: number;
  /** Keeps a row that callers can follow. For long jobs: it costs writes. */
  readonly reportsProgress?: boolean;
}

export const defineJob = <P extends z.ZodObject, R extends z.ZodObject>(contract: JobContract<P, R>) => contract;

/** What a handler sees of its attempt. */
export interface JobRun {
  readonly runtime: Runtime;
  /** The same for every attempt. */
  readonly uuid: string;
  /** Aborted at the timeout and when the process must stop. */
  readonly signal: AbortSignal;
  /** Look, count and report; write nothing and call nobody who would. */
  readonly dryRun: boolean;
  /** A failure of this attempt is the end of the job. */
  readonly isLast: boolean;
  /** Tells those who follow how far it is; `total` null is unknown. */
  progress(done: number, total: number | null): Promise<void>;
  /** Runs `effect` in one transaction, once per job however often it is repeated; false when it was there already. */
  once(effect: (trx: Transaction) => Promise<void>): Promise<boolean>;
}

/** A job with its handler, its types folded away for the registry. */
export interface Job {
  readonly contract: JobContract;
  /** Parses, runs, and checks what is reported. */
  readonly run: (run: JobRun, payload: unknown) => Promise<Record<string, unknown>>;
}

export const implementJob = <P extends z.ZodObject, R extends z.ZodObject>(
  contract: JobContract<P, R>,
  handler: (run: JobRun, payload: z.infer<P>) => Promise<z.infer<R>>,
): Job => ({
  contract: contract as unknown as JobContract,
  run: async (run, payload) => contract.result.parse(await handler(run, contract.payload.parse(payload))),
});

/** Asks for a job in the transaction of the change that needs it. Returns the uuid of the job. */
export async function enqueue<P extends z.ZodObject>(
  trx: Transaction,
  now: Date,
  contract: JobContract<P>,
  payload: z.infer<P>,
): Promise<string> {
  const uuid = newUuid();
  const { name } = contract;
  const key = contract.keyOf?.(payload) ?? uuid;
  const enterpriseCustomerUuid = customerOf(payload);
  if (contract.reportsProgress) {
    await insertRun(trx, { uuid, name, enterpriseCustomerUuid, state: 'waiting', now });
  }
  await appendToOutbox(trx, now, [{ uuid, kind: 'job', name, key, payload, enterpriseCustomerUuid }]);
  return uuid;
}

/** A job as the message that asks for it; for many at once, in the transaction of the change that needs them. */
export const jobMessage = <P extends z.ZodObject>(
  contract: JobContract<P>,
  payload: z.infer<P>,
  enterpriseCustomerUuid: string | null,
): OutboxMessage => {
  const uuid = newUuid();
  const key = contract.keyOf?.(payload) ?? uuid;
  return { uuid, kind: 'job', name: contract.name, key, payload, enterpriseCustomerUuid };
};

/**
 * Asks for jobs that are to run once per `occasion`, however often they are asked for within the days that sent messages
 * are kept. They run in any order. Returns how many were new.
 */
export async function enqueueOnce<P extends z.ZodObject>(
  trx: Transaction,
  now: Date,
  contract: Omit<JobContract<P>, 'keyOf' | 'reportsProgress'>,
  jobs: readonly {
    readonly occasion: string;
    readonly payload: z.infer<P>;
    readonly enterpriseCustomerUuid: string | null;
  }[],
): Promise<number> {
  const { name } = contract;
  const messages = jobs.map(({ occasion, payload, enterpriseCustomerUuid }) => {
    const uuid = uuidOf(`${name}:${occasion}`);
    return { uuid, kind: 'job', name, key: uuid, payload, enterpriseCustomerUuid } as const;
  });
  return appendOnceToOutbox(trx, now, messages);
}

/** The part of a run that is the same wherever it runs. */
export const onceIn =
  (runtime: Pick<Runtime, 'db' | 'clock'>, job: { name: string; uuid: string; signal: AbortSignal }): JobRun['once'] =>
  (effect) =>
    transaction(runtime.db, async (trx) => {
      const claim = { consumer: `job:${job.name}`, messageId: job.uuid, received: runtime.clock() };
      if (!(await claimMessage(trx, claim))) return false;
      await effect(trx);
      // Whoever lost the job must not have its effect behind the back of the next attempt, or of the next job.
      job.signal.throwIfAborted();
      return true;
    });
