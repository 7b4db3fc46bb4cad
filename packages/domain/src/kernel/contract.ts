import { z } from 'zod';
import type { ErrorSpec } from './errors.ts';
import type { Permission } from './permissions.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * How to find the customer for which the caller needs the permission: from an input field with the customer's uuid,
 * or from an input field with the uuid of a resource that the customer owns.
 */
export interface ContextSource {
  /**
   * `customer`, or a kind that a slice declares an owner for; `platform` for what belongs to no customer: only callers
   * with the permission for all customers pass; `anywhere` for what makes customers: callers with the permission for
   * any customer pass; `caller` for what is the caller's own.
   */
  readonly from: string;
  /** Name of the input field; empty for `platform`, `anywhere` and `caller`. */
  readonly field: string;
  /**
   * The operation lists what the caller may see (R-RBAC-10): a caller with the permission for any customer passes, and
   * `ctx.visibleCustomers` limits the rows.
   */
  readonly isListing?: boolean;
}

/** Context of operations that any holder of the permission may call, whatever the customer. */
export const anywhere: ContextSource = { from: 'anywhere', field: '' };

/** Context of operations on what belongs to no customer. */
export const ofPlatform: ContextSource = { from: 'platform', field: '' };
/** The context of operations that concern no customer, with the permissions `signedIn` and `anyone`. */
export const noCustomer: ContextSource = { from: 'caller', field: '' };

/** Limit of requests per client IP, shared by all operations with the same scope. */
export interface Throttle {
  readonly scope: string;
  readonly perHour: number;
}

export interface RestBinding {
  readonly method: Method;
  /** More methods with the same meaning, such as PUT beside PATCH. */
  readonly alsoMethods?: readonly Method[];
  /** `{fieldName}` is an input field. The route matches with and without the final slash. */
  readonly path: string;
  /** Success status; default 200. */
  readonly status?: number;
}

/** Maximum size of request bodies, unless the contract declares another. */
export const DEFAULT_BODY_LIMIT_BYTES = 64 * 1024;

/** Common part of contracts and streams. */
export interface Declaration<
  I extends z.ZodObject = z.ZodObject,
  O extends z.ZodType = z.ZodType,
  E extends readonly ErrorSpec[] = readonly ErrorSpec[],
> {
  /** One sentence for the hover and the documentation. */
  readonly summary: string;
  readonly permission: Permission;
  readonly context: ContextSource;
  /**
   * First word of the permission error, as the old services spell it; part of the wire format. With `plain` the error
   * does not name the permission.
   */
  readonly denial?: 'Missing' | 'MISSING' | 'plain';
  /** In addition to the limits of all requests. */
  readonly throttle?: Throttle;
  /** Maximum request body, for both transports; default `DEFAULT_BODY_LIMIT_BYTES`. */
  readonly bodyLimitBytes?: number;
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
  /**
   * Whether a reply can be replayed for its Idempotency-Key; false for replies about unfinished work. Default:
   * always.
   */
  readonly isFinal?: (output: z.infer<O>) => boolean;
  readonly rest: RestBinding;
}

/**
 * An operation that sends a stream of events until it is complete. tRPC only, over server-sent events; `output` is
 * one event. Its input includes `resumable`: a client that reconnects sends the id of the last event it received.
 */
export interface StreamContract<
  I extends z.ZodObject<typeof resumable> = z.ZodObject<typeof resumable>,
  O extends z.ZodType = z.ZodType,
  E extends readonly ErrorSpec[] = readonly ErrorSpec[],
> extends Declaration<I, O, E> {
  readonly kind: 'subscription';
}

/** The part of a stream's input that tRPC clients set when they reconnect. */
export const resumable = {
  lastEventId: z.string().max(200).optional().describe('Id of the last event received, to resume after it.'),
};

/** Declares an operation as data; both transports, the documents and the tests are derived from it. */
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
