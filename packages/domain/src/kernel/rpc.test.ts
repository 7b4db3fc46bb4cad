import { type inferProcedureInput, initTRPC } from '@trpc/server';
import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { type Unchecked, uncheckedInput } from './rpc.ts';

test('a middleware in front of a call cannot use its input without parsing it', async () => {
  const schema = z.object({ name: z.string() });
  const t = initTRPC.create();
  const seen: unknown[] = [];
  const procedure = t.procedure
    .input(uncheckedInput(schema))
    .use(({ input, next }) => {
      expectTypeOf(input).toEqualTypeOf<Unchecked>();
      // @ts-expect-error It has no fields.
      seen.push(input.name);
      seen.push(schema.safeParse(input).success);
      return next();
    })
    .query(({ input }) => input);
  // Callers still see the contract's type.
  expectTypeOf<inferProcedureInput<typeof procedure>>().toEqualTypeOf<{ name: string }>();
  const caller = t.createCallerFactory(t.router({ procedure }))({});
  await caller.procedure({ name: 1 } as never);
  expect(seen).toEqual([1, false]);
});
