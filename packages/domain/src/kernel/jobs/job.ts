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

/** Declares a background job as data, like a contract: payload, result, retries. */
export interface JobContract<P extends z.ZodObject = z.ZodObject, R extends z.ZodObject = z.ZodObject> {
  /** `slice.verb`; also the name of its queue and of its command. */
  readonly name: string;
  /** One sentence for operators. */
  readonly summary: string;
  readonly payload: P;
  /** Numbers and flags for operators; never personal data. */
  readonly result: R;
  /** Jobs with the same key run one after the other, in the order in which they were enqueued. */
  readonly keyOf?: (payload: z.infer<P>) => string;
  readonly retry: {
    /** Maximum number of retries after failures; at the next failure the job becomes a dead letter. */
    readonly limit: number;
    /**
     * Maximum number of interrupted attempts (crash, shutdown, outage of the database), which are not failures; 100 if
     * not given. After one more the job becomes a dead letter, because it may be what crashes the processes.
     */
    readonly interruptions?: number;
    /** Delay before the first retry, in seconds; doubled each time, with jitter. */
    readonly delaySeconds: number;
    readonly maximumDelaySeconds: number;
  };
  /** Time limit of an attempt, in seconds. */
  readonly timeoutSeconds: number;
  /** Stores progress that callers can follow. For long jobs only, because it costs writes. */
  readonly reportsProgress?: boolean;
}

export const defineJob = <P extends z.ZodObject, R extends z.ZodObject>(contract: JobContract<P, R>) => contract;

/** Context of a job handler. */
export interface JobRun {
  readonly runtime: Runtime;
  /** Id of the job; the same for every attempt. */
  readonly uuid: string;
  /** Aborted at the timeout and when the process must stop. */
  readonly signal: AbortSignal;
  /** Only read, count and report; do not write, or call services that would. */
  readonly dryRun: boolean;
  /** Whether a failure of this attempt is final. */
  readonly isLast: boolean;
  /** Reports progress to followers; `total` is null if unknown. */
  progress(done: number, total: number | null): Promise<void>;
  /** Runs `effect` in one transaction, once per job even if the job is repeated; returns false if it ran before. */
  once(effect: (trx: Transaction) => Promise<void>): Promise<boolean>;
}

/** A job with its handler, with erased types for the registry. */
export interface Job {
  readonly contract: JobContract;
  /** Parses the payload, runs the handler and validates the result. */
  readonly run: (run: JobRun, payload: unknown) => Promise<Record<string, unknown>>;
}

export const implementJob = <P extends z.ZodObject, R extends z.ZodObject>(
  contract: JobContract<P, R>,
  handler: (run: JobRun, payload: z.infer<P>) => Promise<z.infer<R>>,
): Job => ({
  contract: contract as unknown as JobContract,
  run: async (run, payload) => contract.result.parse(await handler(run, contract.payload.parse(payload))),
});

/** Enqueues a job in the transaction of the change that needs it. Returns the uuid of the job. */
export async function enqueue<P extends z.ZodObject>(
  trx: Transaction,
  now: Date,
  contract: JobContract<P>,
  payload: z.infer<P>,
  uuid = newUuid(),
): Promise<string> {
  const { name } = contract;
  const key = contract.keyOf?.(payload) ?? uuid;
  const enterpriseCustomerUuid = customerOf(payload);
  if (contract.reportsProgress) {
    await insertRun(trx, { uuid, name, enterpriseCustomerUuid, state: 'waiting', now });
  }
  await appendToOutbox(trx, now, [{ uuid, kind: 'job', name, key, payload, enterpriseCustomerUuid }]);
  return uuid;
}

/** The outbox message of a job, to enqueue many jobs at once. */
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
 * Enqueues jobs that run once per `occasion`, even if they are enqueued again while sent messages are kept. Their
 * order is not defined. Returns the number of new jobs.
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

/** Implements `JobRun.once`. */
export const onceIn =
  (runtime: Pick<Runtime, 'db' | 'clock'>, job: { name: string; uuid: string; signal: AbortSignal }): JobRun['once'] =>
  (effect) =>
    transaction(runtime.db, async (trx) => {
      const claim = { consumer: `job:${job.name}`, messageId: job.uuid, received: runtime.clock() };
      if (!(await claimMessage(trx, claim))) return false;
      await effect(trx);
      // Abort before commit if this worker lost its claim on the job.
      job.signal.throwIfAborted();
      return true;
    });
