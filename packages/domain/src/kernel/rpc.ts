import { initTRPC, type TRPCDefaultErrorShape, type TRPCError, tracked } from '@trpc/server';
import superjson from 'superjson';
import { z } from 'zod';
import { type Actor, isPermitted } from './actor.ts';
import type { ContextSource, Contract, Declaration, resumable, StreamContract } from './contract.ts';
import {
  commonErrors,
  DomainError,
  type ErrorSpec,
  invalidInput,
  notAuthenticated,
  permissionDenied,
} from './errors.ts';
import { fieldErrors } from './field-errors.ts';
import { once } from './idempotency.ts';
import { codeOfStatus, numberOfStatus } from './rpc-codes.ts';
import type { Runtime } from './runtime.ts';
import { flawOf } from './storable.ts';

/** What every procedure sees of the request, whichever door it came through. */
export interface RpcContext {
  readonly runtime: Runtime;
  /** Null for an anonymous caller. */
  readonly actor: Actor | null;
  readonly requestId: string;
  readonly idempotencyKey: string | null;
  /** For streams: aborted when the caller went away or this process stops. */
  readonly signal?: AbortSignal;
}

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
  transformer: superjson,
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

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The customer that a request is about, from input that nobody has checked yet. */
export async function contextOf(
  runtime: Pick<Runtime, 'ownerOf'>,
  source: ContextSource,
  unsafeInput: unknown,
): Promise<string | null> {
  const unsafe: unknown =
    typeof unsafeInput === 'object' && unsafeInput !== null
      ? (unsafeInput as Record<string, unknown>)[source.field]
      : undefined;
  if (typeof unsafe !== 'string' || !GUID.test(unsafe)) return null;
  const uuid = unsafe.toLowerCase();
  return source.from === 'customer' ? uuid : runtime.ownerOf[source.from](uuid);
}

/** Permission and validation, the same for every kind of operation. */
const authorized = <I extends z.ZodObject, O extends z.ZodType, const E extends readonly ErrorSpec[]>(
  contract: Declaration<I, O, E>,
) =>
  t.procedure
    .errors(declared(contract.errors as readonly E[number][]))
    // Decided before validation, as callers of the old services expect.
    .use(async ({ ctx, getRawInput, next }) => {
      if (!ctx.actor) throw notAuthenticated({});
      const customer = await contextOf(ctx.runtime, contract.context, await getRawInput());
      if (!isPermitted(ctx.actor, contract.permission, customer)) {
        const message = `${contract.denial ?? 'MISSING'}: ${contract.permission}`;
        throw permissionDenied({ permission: contract.permission }, { message });
      }
      return next({ ctx: { ...ctx, actor: ctx.actor, customer } });
    })
    .use(async ({ getRawInput, next }) => {
      // Parsed here only to say what is wrong in the words of the wire; tRPC's own parse then succeeds.
      const raw = (await getRawInput()) ?? {};
      const flaw = flawOf(raw);
      if (flaw !== null) throw invalidInput({ fields: { non_field_errors: [flaw] } });
      const parsed = contract.input.safeParse(raw, { reportInput: true });
      if (!parsed.success) throw invalidInput({ fields: fieldErrors(parsed.error) }, { cause: parsed.error });
      return next();
    });

/** A procedure that already obeys its contract; only the handler is left to write. */
export const procedure = <I extends z.ZodObject, O extends z.ZodType, const E extends readonly ErrorSpec[]>(
  contract: Contract<I, O, E>,
) => {
  const base = authorized(contract);
  const keyed =
    contract.kind === 'query'
      ? base
      : base.use(async ({ ctx, path, getRawInput, next }) => {
          const { runtime, actor, idempotencyKey } = ctx;
          if (idempotencyKey === null) return next();
          return once(
            runtime,
            { actor: actor.username, operation: path, key: idempotencyKey, input: await getRawInput() },
            next,
          );
        });
  return keyed.input(contract.input).output(contract.output);
};

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
  authorized(contract)
    .use(({ ctx, signal, next }) => {
      const ends = ctx.signal ?? signal ?? new AbortController().signal;
      return next({ ctx: { ...ctx, signal: ends } });
    })
    .input(contract.input)
    .output(answersOf(contract.output));
