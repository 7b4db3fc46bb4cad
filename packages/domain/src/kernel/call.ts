import type { z } from 'zod';
import { type Actor, isPermitted, missing } from './actor.ts';
import { conformsTo } from './conforms.ts';
import type { ContextSource, Contract, Declaration } from './contract.ts';
import { invalidInput, notAuthenticated, notFound } from './errors.ts';
import { fieldErrors } from './field-errors.ts';
import { once } from './idempotency.ts';
import type { Runtime } from './runtime.ts';
import { flawOf } from './storable.ts';

/** What every procedure sees of the request, whichever transport it came through. */
export interface RpcContext {
  readonly runtime: Runtime;
  /** Null for an anonymous caller. */
  readonly actor: Actor | null;
  readonly requestId: string;
  readonly idempotencyKey: string | null;
  /** For streams: aborted when the caller went away or this process stops. */
  readonly signal?: AbortSignal | undefined;
}

/** The context of a caller who may do what he asks for. */
export interface AuthorizedContext extends RpcContext {
  readonly actor: Actor;
  /** Customer that the request is about; null when its input names none. */
  readonly customer: string | null;
}

/** What is written for a procedure: everything else comes from its contract. */
export type Handler<I extends z.ZodType, O extends z.ZodType> = (request: {
  readonly ctx: AuthorizedContext;
  readonly input: z.output<I>;
}) => Promise<z.input<O>> | z.input<O>;

/** One call of an operation with input that nobody has checked; `path` is the operation's id. */
export type Call = (ctx: RpcContext, path: string, unsafeInput: unknown) => Promise<unknown>;

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The customer that a request is about, from input that nobody has checked yet. */
export function contextOf(
  runtime: Pick<Runtime, 'ownerOf'>,
  source: ContextSource,
  unsafeInput: unknown,
): Promise<string | null> | string | null {
  const unsafe: unknown =
    typeof unsafeInput === 'object' && unsafeInput !== null
      ? (unsafeInput as Record<string, unknown>)[source.field]
      : undefined;
  if (typeof unsafe !== 'string' || !GUID.test(unsafe)) return null;
  const uuid = unsafe.toLowerCase();
  return source.from === 'customer' ? uuid : runtime.ownerOf(source.from, uuid);
}

/** Decided before validation, as callers of the old services expect; at once when the customer is known. */
export function authorized(
  contract: Declaration,
  ctx: RpcContext,
  unsafeInput: unknown,
): Promise<AuthorizedContext> | AuthorizedContext {
  const { actor } = ctx;
  if (!actor) throw notAuthenticated({});
  const permit = (customer: string | null): AuthorizedContext => {
    if (!isPermitted(actor, contract.permission, customer)) {
      throw missing(contract.permission, contract.denial);
    }
    return { ...ctx, actor, customer };
  };
  const found = contextOf(ctx.runtime, contract.context, unsafeInput);
  return found instanceof Promise ? found.then(permit) : permit(found);
}

/** The input, or what is wrong with it in the words of the wire. */
export function validInput<I extends z.ZodType>(schema: I, unsafeInput: unknown): z.output<I> {
  const flaw = flawOf(unsafeInput);
  if (flaw !== null) throw invalidInput({ fields: { non_field_errors: [flaw] } });
  const parsed = schema.safeParse(unsafeInput, { reportInput: true });
  if (!parsed.success) throw invalidInput({ fields: fieldErrors(parsed.error, schema) }, { cause: parsed.error });
  return parsed.data;
}

/** What does not exist is said before anything is said about the rest of the input. */
function validOf<I extends z.ZodObject>(
  contract: Declaration<I>,
  { customer }: AuthorizedContext,
  unsafeInput: unknown,
): z.output<I> {
  const { from, field } = contract.context;
  try {
    return validInput(contract.input, unsafeInput);
  } catch (error) {
    const isNamed = GUID.test(String((unsafeInput as Record<string, unknown> | null)?.[field]));
    if (from !== 'customer' && customer === null && isNamed) throw notFound({}, { cause: error });
    throw error;
  }
}

/**
 * The way of every call, in its order: permission, validation, idempotency, the handler, the check of its reply. Both
 * transports use it, and each step happens once.
 */
export function callOf<I extends z.ZodObject, O extends z.ZodType>(
  contract: Contract<I, O>,
  handler: Handler<I, O>,
): Call {
  const conforms = conformsTo(contract.output);
  const answer = async (ctx: AuthorizedContext, path: string, input: z.output<I>): Promise<unknown> => {
    const output = await handler({ ctx, input });
    if (conforms?.(output)) return output;
    const reply = contract.output.safeParse(output);
    if (!reply.success) throw new Error(`The reply of ${path} breaks its contract.`, { cause: reply.error });
    return reply.data;
  };
  return async (unauthorized, path, unsafeInput) => {
    const permitted = authorized(contract, unauthorized, unsafeInput);
    const ctx = permitted instanceof Promise ? await permitted : permitted;
    const input = validOf(contract, ctx, unsafeInput);
    const { idempotencyKey: key, actor, runtime } = ctx;
    if (key === null || contract.kind === 'query') return answer(ctx, path, input);
    const attempt = { actor: actor.username, operation: path, key, customer: ctx.customer, input: unsafeInput };
    const isFinal = (reply: unknown) => contract.isFinal?.(reply as z.output<O>) ?? true;
    return once(runtime, attempt, () => answer(ctx, path, input), isFinal);
  };
}
