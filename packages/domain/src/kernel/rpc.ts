import { isDatabaseUnavailable } from '@enterprise-access/db';
import { initTRPC, type TRPCDefaultErrorShape, type TRPCError, tracked } from '@trpc/server';
import { z } from 'zod';
import { authorized, type Call, callOf, type Handler, type RpcContext, validInput } from './call.ts';
import { clipped } from './clip.ts';
import type { Contract, resumable, StreamContract } from './contract.ts';
import { commonErrors, DomainError, databaseUnavailable, type ErrorSpec } from './errors.ts';
import { codeOfStatus, numberOfStatus } from './rpc-codes.ts';
import { transformer } from './transformer.ts';

export const INTERNAL_ERROR = 'Internal error';
const UNREADABLE_INPUT = 'The input cannot be read.';
/** Limit for tRPC's own messages, which repeat paths and media types of any length. */
const LONGEST_MESSAGE = 500;

const RETRY_SECONDS = 1;

/** Unwraps the declared error from a TRPCError; a database outage becomes a declared error, too. */
export function domainErrorOf(error: unknown): DomainError | null {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof DomainError) return e;
  return isDatabaseUnavailable(error)
    ? databaseUnavailable({ retryAfterSeconds: RETRY_SECONDS }, { cause: error })
    : null;
}

/** Keep-alive interval: proxies close idle connections, mostly after a minute. */
const PING_MS = 15_000;
/** A stream is closed after this time; the client reconnects and its token is checked again. */
const LONGEST_STREAM_MS = 10 * 60_000;

const t = initTRPC.context<RpcContext>().create({
  transformer,
  sse: {
    ping: { enabled: true, intervalMs: PING_MS },
    client: { reconnectAfterInactivityMs: 3 * PING_MS },
    maxDurationMs: LONGEST_STREAM_MS,
  },
  // Never send internal messages and stacks, whatever NODE_ENV is.
  isDev: false,
  errorFormatter: ({ shape, error, ctx }) => {
    const path = shape.data.path === undefined ? {} : { path: clipped(shape.data.path, LONGEST_MESSAGE) };
    const data = { ...shape.data, ...path, requestId: ctx?.requestId ?? null };
    const cause = domainErrorOf(error);
    if (cause && commonErrors.some(({ code }) => code === cause.spec.code))
      return withDomain({ ...shape, data }, cause);
    if (error.code === 'INTERNAL_SERVER_ERROR') return { ...shape, message: INTERNAL_ERROR, data };
    // The message can come from a library that parsed the input.
    const isForeign = error.code === 'BAD_REQUEST' && error.cause !== undefined && !cause;
    return { ...shape, message: isForeign ? UNREADABLE_INPUT : clipped(shape.message, LONGEST_MESSAGE), data };
  },
});

/** A declared error in tRPC's wire format. */
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

/** Input that `call.ts` has not checked yet. The type has no fields, so code that reads it must parse it first. */
export interface Unchecked {
  readonly [unchecked]: never;
}
declare const unchecked: unique symbol;

/** Types the input for clients, but as `Unchecked` for middlewares, because it is not parsed here. */
export const uncheckedInput = <S extends z.ZodType>(_schema: S) =>
  ({ parse: (value: unknown) => value }) as unknown as {
    readonly _input: z.input<S>;
    readonly _output: Unchecked;
    readonly parse: (value: unknown) => Unchecked;
  };

/** Provides the output type only; the call validates the reply. */
const checkedOutput = <S extends z.ZodType>(_schema: S): S => ({ parse: (value: unknown) => value }) as unknown as S;

const calls = new WeakMap<object, Call>();

/** The call behind a tRPC procedure, for other transports. */
export function callOfProcedure(procedure: object): Call {
  const call = calls.get(procedure);
  if (!call) throw new Error('The procedure was not created by procedure().');
  return call;
}

/** Builds a tRPC procedure from a contract and a handler. */
export function procedure<I extends z.ZodObject, O extends z.ZodType, const E extends readonly ErrorSpec[]>(
  contract: Contract<I, O, E>,
) {
  const transport = t.procedure
    .errors(declared(contract.errors as readonly E[number][]))
    .input(uncheckedInput(contract.input))
    .output(checkedOutput(contract.output));
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

/** An event of a stream with its id, after which a client can resume. */
export interface Answer<T> {
  readonly id: string;
  readonly value: T;
}

/** Validates each event; closes the source when the client disconnects. */
const answersOf = <O extends z.ZodType>(output: O) =>
  z
    .custom<AsyncIterable<Answer<z.input<O>>>>((value) => typeof value === 'object' && value !== null)
    .transform(async function* (answers) {
      for await (const { id, value } of answers) yield tracked(id, output.parse(value));
    });

/**
 * Builds a tRPC subscription from a contract and a handler. The handler yields events until it is complete. If
 * `ctx.signal` is aborted it must throw the signal's reason: when a handler returns, clients do not reconnect.
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
