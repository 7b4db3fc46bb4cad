import { z } from 'zod';
import type { ErrorSpec } from './errors.ts';
import type { Permission } from './permissions.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Where the enterprise customer comes from that the caller needs the permission for: an input field that holds its
 * uuid, or an input field that names something which belongs to it.
 */
export interface ContextSource {
  /** `customer`, or a kind that a slice declares an owner for. */
  readonly from: string;
  /** Name of the input field. */
  readonly field: string;
}

export interface RestBinding {
  readonly method: Method;
  /** More methods with the same meaning, such as PUT beside PATCH. */
  readonly alsoMethods?: readonly Method[];
  /** `{fieldName}` stands for an input field. Answers with and without the final slash. */
  readonly path: string;
  /** Status of success; 200 unless given. */
  readonly status?: number;
}

/** What every operation declares, however it answers. */
export interface Declaration<
  I extends z.ZodObject = z.ZodObject,
  O extends z.ZodType = z.ZodType,
  E extends readonly ErrorSpec[] = readonly ErrorSpec[],
> {
  /** One sentence for the hover and the documentation. */
  readonly summary: string;
  readonly permission: Permission;
  readonly context: ContextSource;
  /** How the old services spelled the refusal; part of the wire format. */
  readonly denial?: 'Missing' | 'MISSING';
  readonly input: I;
  readonly output: O;
  readonly errors: E;
}

/** An operation with one answer, over both transports. */
export interface Contract<
  I extends z.ZodObject = z.ZodObject,
  O extends z.ZodType = z.ZodType,
  E extends readonly ErrorSpec[] = readonly ErrorSpec[],
> extends Declaration<I, O, E> {
  readonly kind: 'query' | 'mutation';
  /** Whether a reply may be replayed under its Idempotency-Key; one about work that goes on may not. Always, unless given. */
  readonly isFinal?: (output: z.infer<O>) => boolean;
  readonly rest: RestBinding;
}

/**
 * An operation that answers again and again until there is no more to say. tRPC only, over server-sent events; `output`
 * is one answer. Its input includes `resumable`: whoever lost the connection comes back with the id of the last answer
 * that arrived.
 */
export interface StreamContract<
  I extends z.ZodObject<typeof resumable> = z.ZodObject<typeof resumable>,
  O extends z.ZodType = z.ZodType,
  E extends readonly ErrorSpec[] = readonly ErrorSpec[],
> extends Declaration<I, O, E> {
  readonly kind: 'subscription';
}

/** The part of a stream's input that tRPC clients fill in by themselves when they come back. */
export const resumable = {
  lastEventId: z
    .string()
    .max(200)
    .optional()
    .describe('Id of the last answer that arrived; what it told is not repeated.'),
};

/** Declares an operation as data; both transports, the documents and the tests are made from it. */
export const defineContract = <I extends z.ZodObject, O extends z.ZodType, const E extends readonly ErrorSpec[]>(
  contract: Contract<I, O, E>,
): Contract<I, O, E> => contract;

/** Declares a stream as data. */
export const defineStream = <
  I extends z.ZodObject<typeof resumable>,
  O extends z.ZodType,
  const E extends readonly ErrorSpec[],
>(
  contract: StreamContract<I, O, E>,
): StreamContract<I, O, E> => contract;

export type Input<C extends Declaration> = z.infer<C['input']>;
export type Output<C extends Declaration> = z.infer<C['output']>;
