import type { AppRouter } from '@enterprise-access/domain';
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server';
import { expect, expectTypeOf, test } from 'vitest';
import type { EnterpriseAccess, PoliciesCreateInput, Policy } from '../src/index.ts';

type Inputs = inferRouterInputs<AppRouter>;
type Outputs = inferRouterOutputs<AppRouter>;
type Router = keyof Inputs & keyof EnterpriseAccess;
type Method<R extends Router> = keyof Inputs[R] & keyof EnterpriseAccess[R];

/** What a method of the client takes and gives. */
type Taken<M> = M extends (input: infer I, ...rest: never[]) => unknown ? NonNullable<I> : never;
type Given<M> = M extends (...all: never[]) => infer G
  ? G extends PromiseLike<infer T>
    ? T
    : G extends AsyncIterable<infer T>
      ? T
      : never
  : never;
/** A stream of the server gives its answers with their ids. */
type Answered<T> =
  T extends AsyncIterable<infer A>
    ? A extends { data: infer D }
      ? D
      : A extends readonly [string, infer D, ...unknown[]]
        ? D
        : A
    : T;

/** The input of an operation that takes nothing. */
type NoFields = { readonly [field in PropertyKey]?: never };

type Mistakes<R extends Router> = {
  [M in Method<R>]:
    | (Taken<EnterpriseAccess[R][M]> extends Inputs[R][M] | NoFields ? never : ['the server does not take', R, M])
    | (Answered<Outputs[R][M]> extends Given<EnterpriseAccess[R][M]> ? never : ['the server answers else', R, M]);
}[Method<R>];

test('what the client takes the server takes, and what the server answers the client gives', () => {
  expectTypeOf<{ [R in Router]: Mistakes<R> }[Router]>().toEqualTypeOf<never>();
  expectTypeOf<Exclude<keyof Inputs, keyof EnterpriseAccess>>().toEqualTypeOf<never>();
  expectTypeOf<{ [R in Router]: Exclude<keyof Inputs[R], keyof EnterpriseAccess[R]> }[Router]>().toEqualTypeOf<never>();
  // The checks above are the compiler's; this one sees that they compare something.
  expectTypeOf<Taken<EnterpriseAccess['policies']['get']>>().toEqualTypeOf<{ uuid: string }>();
  expect(true).toBe(true);
});

test('enumerations are open in answers and closed in inputs', () => {
  expectTypeOf<'of the future'>().toExtend<Policy['accessMethod']>();
  expectTypeOf<'of the future'>().not.toExtend<PoliciesCreateInput['accessMethod']>();
});
