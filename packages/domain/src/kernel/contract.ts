import type { z } from 'zod';
import type { ErrorSpec } from './errors.ts';
import type { Permission } from './permissions.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Where the enterprise customer comes from that the caller needs the permission for: an input field that holds its
 * uuid, or an input field that names something which belongs to it.
 */
export interface ContextSource {
  readonly from: 'customer' | 'policy' | 'configuration' | 'subsidy' | 'transaction' | 'job';
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

export interface Contract<
  I extends z.ZodObject = z.ZodObject,
  O extends z.ZodType = z.ZodType,
  E extends readonly ErrorSpec[] = readonly ErrorSpec[],
> {
  /** One sentence for the hover and the documentation. */
  readonly summary: string;
  readonly kind: 'query' | 'mutation';
  readonly permission: Permission;
  readonly context: ContextSource;
  /** How the old services spelled the refusal; part of the wire format. */
  readonly denial?: 'Missing' | 'MISSING';
  readonly rest: RestBinding;
  readonly input: I;
  readonly output: O;
  readonly errors: E;
}

/** Declares an operation as data; both doors, the documents and the tests are made from it. */
export const defineContract = <I extends z.ZodObject, O extends z.ZodType, const E extends readonly ErrorSpec[]>(
  contract: Contract<I, O, E>,
): Contract<I, O, E> => contract;

export type Input<C extends Contract> = z.infer<C['input']>;
export type Output<C extends Contract> = z.infer<C['output']>;
