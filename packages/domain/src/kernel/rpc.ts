import { initTRPC, type TRPCDefaultErrorShape, type TRPCError, tracked } from '@trpc/server';
import { z } from 'zod';
import { authorized, type Call, callOf, type Handler, type RpcContext, validInput } from './call.ts';
import type { Contract, resumable, StreamContract } from './contract.ts';
import { commonErrors, DomainError, type ErrorSpec } from './errors.ts';
import { codeOfStatus, numberOfStatus } from './rpc-codes.ts';
import { transformer } from './transformer.ts';

export const INTERNAL_ERROR = 'Internal error';

/** Finds our declared error in what tRPC wrapped around it. */
export function domainErrorOf(error: unknown): DomainError | null {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof DomainError) return e;
  return null;
}

/** Proxies close connections on which nothing is said, mostly after a minute. */
const PING_MS = 15_000;
/** A stream is ended after this long; its client comes back by itself, with a token that is looked at again. */
const LONGEST_STREAM_MS = 10 * 60_000;

const t = initTRPC.context<RpcContext>().create({
  transformer,
  sse: {
    ping: { enabled: true, intervalMs: PING_MS },
    client: { reconnectAfterInactivityMs: 3 * PING_MS },
    maxDurationMs: LONGEST_STREAM_MS,
  },
  // Internal messages and stacks stay in the log, whatever NODE_ENV says.
  isDev: false,
  errorFormatter: ({ shape, error, ctx }) => {
    const data = { ...shape.data, requestId: ctx?.requestId ?? null };
    const cause = domainErrorOf(error);
    if (cause && commonErrors.some(({ code }) => code === cause.spec.code))
      return withDomain({ ...shape, data }, cause);
    const isOurs = error.code === 'INTERNAL_SERVER_ERROR';
    return { ...shape, message: isOurs ? INTERNAL_ERROR : shape.message, data };
  },
});

/** What a declared error looks like on the tRPC wire. */
type OnTheWire<E extends ErrorSpec> = E extends ErrorSpec<infer C, infer D> ? { code: C; details: z.infer<D> } : never;

const withDomain = <S extends TRPCDefaultErrorShape, E extends ErrorSpec = ErrorSpec>(
  shape: S,
  cause: DomainError,
) => ({
  ...shape,
  code: numberOfStatus(cause.spec.status),
  message: cause.message,
  data: {
    ...shape.data,
    code: codeOfStatus(cause.spec.status),
    httpStatus: cause.spec.status,
    domain: { code: cause.spec.code, details: cause.details } as OnTheWire<E>,
  },
});

const declared =
  <E extends ErrorSpec>(errors: readonly E[]) =>
  ({ shape, error }: { shape: TRPCDefaultErrorShape; error: TRPCError }) => {
    const cause = domainErrorOf(error);
    if (!cause || !errors.some(({ code }) => code === cause.spec.code)) return undefined;
    return withDomain<TRPCDefaultErrorShape, E>(shape, cause);
  };

export const router = t.router;
export const mergeRouters = t.mergeRouters;

/** Gives a transport the types of a schema. The parsing itself belongs to the call, where it happens once. */
const typesOf = <S extends z.ZodType>(_schema: S): S => ({ parse: (value: unknown) => value }) as unknown as S;

const calls = new WeakMap<object, Call>();

/** What runs behind the tRPC transport of a procedure, for other transports. */
export function callOfProcedure(procedure: object): Call {
  const call = calls.get(procedure);
  if (!call) throw new Error('Not made by procedure().');
  return call;
}

/** A procedure that already obeys its contract; only the handler is left to write. */
export function procedure<I extends z.ZodObject, O extends z.ZodType, const E extends readonly ErrorSpec[]>(
  contract: Contract<I, O, E>,
) {
  const transport = t.procedure
    .errors(declared(contract.errors as readonly E[number][]))
    .input(typesOf(contract.input))
    .output(typesOf(contract.output));
  const behind = <P extends object>(made: P, call: Call): P => {
    calls.set(made, call);
    return made;
  };
  const resolver = (call: Call) => (request: { ctx: RpcContext; path: string; input: unknown }) =>
    call(request.ctx, request.path, request.input) as Promise<never>;
  return {
    query: (handler: Handler<I, O>) => {
      const call = callOf(contract, handler);
      return behind(transport.query(resolver(call)), call);
    },
    mutation: (handler: Handler<I, O>) => {
      const call = callOf(contract, handler);
      return behind(transport.mutation(resolver(call)), call);
    },
  };
}

/** One answer of a stream under an id by which a caller can resume after it. */
export interface Answer<T> {
  readonly id: string;
  readonly value: T;
}

/** Checks each answer as it goes out; whoever stops listening ends the source too. */
const answersOf = <O extends z.ZodType>(output: O) =>
  z
    .custom<AsyncIterable<Answer<z.input<O>>>>((value) => typeof value === 'object' && value !== null)
    .transform(async function* (answers) {
      for await (const { id, value } of answers) yield tracked(id, output.parse(value));
    });

/**
 * A stream that already obeys its contract. The handler gives its answers until `ctx.signal` is aborted, and throws the
 * signal's reason then: only a stream that has no more to say may return, because clients do not come back to it.
 */
export const stream = <
  I extends z.ZodObject<typeof resumable>,
  O extends z.ZodType,
  const E extends readonly ErrorSpec[],
>(
  contract: StreamContract<I, O, E>,
) =>
  t.procedure
    .errors(declared(contract.errors as readonly E[number][]))
    .use(async ({ ctx, getRawInput, signal, next }) => {
      const unsafeInput = await getRawInput();
      const allowed = await authorized(contract, ctx, unsafeInput);
      validInput(contract.input, unsafeInput);
      return next({ ctx: { ...allowed, signal: ctx.signal ?? signal ?? new AbortController().signal } });
    })
    .input(contract.input)
    .output(answersOf(contract.output));
