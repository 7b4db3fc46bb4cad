import { type AuditSource, type Origin, withOrigin } from '@enterprise-access/db';
import type { z } from 'zod';
import { type Actor, grantedRole, heldRole, missing, type VisibleCustomers, visibleCustomers } from './actor.ts';
import type { ContextSource, Contract, Declaration, Throttle } from './contract.ts';
import { invalidInput, notAuthenticated, notFound } from './errors.ts';
import { fieldErrors } from './field-errors.ts';
import { once } from './idempotency.ts';
import { replyCheckOf } from './reply.ts';
import type { Runtime } from './runtime.ts';
import { storageProblemOf } from './storable.ts';

/** Context of a call, for both transports. */
export interface RpcContext {
  readonly runtime: Runtime;
  /** Null for anonymous callers. */
  readonly actor: Actor | null;
  readonly requestId: string;
  /** Shared by everything that follows from this call. */
  readonly correlationId: string;
  readonly source: AuditSource;
  readonly idempotencyKey: string | null;
  /** Origin of the page that calls, if it is one that may; null for others. */
  readonly origin?: string | null | undefined;
  /** Counts the request of this client against a limit; throws `throttled`. */
  readonly throttle?: ((limit: Throttle) => Promise<void> | void) | undefined;
  /** For streams: aborted when the caller disconnects or this process stops. */
  readonly signal?: AbortSignal | undefined;
}

/** Context of an authorized call. */
export interface AuthorizedContext extends RpcContext {
  /** `anonymous` for a public operation without a token. */
  readonly actor: Actor;
  /** Customer that the request is about; null when its input names none. */
  readonly customer: string | null;
  /** The role that allows the request. */
  readonly role: string;
  /** For lists: the customers whose rows the caller can see. */
  readonly visibleCustomers: VisibleCustomers;
}

/** The handler of a procedure; everything else comes from its contract. */
export type Handler<I extends z.ZodType, O extends z.ZodType> = (request: {
  readonly ctx: AuthorizedContext;
  readonly input: z.output<I>;
}) => Promise<z.input<O>> | z.input<O>;

/** Calls an operation with unchecked input; `path` is the operation's id. */
export type Call = (ctx: RpcContext, path: string, unsafeInput: unknown) => Promise<unknown>;

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A uuid in input that nobody has checked yet. */
function uuidAt(unsafeInput: unknown, field: string): string | null {
  if (typeof unsafeInput !== 'object' || unsafeInput === null) return null;
  const unsafe = (unsafeInput as Record<string, unknown>)[field];
  return typeof unsafe === 'string' && GUID.test(unsafe) ? unsafe.toLowerCase() : null;
}

/** The caller of a public operation without a token. */
const anonymous: Actor = {
  userId: 0,
  username: '',
  lmsUserId: null,
  isStaff: false,
  isSuperuser: false,
  grants: [],
};

/** Finds the customer that a request is about, from unchecked input. */
export function contextOf(
  runtime: Pick<Runtime, 'ownerOf'>,
  source: ContextSource,
  unsafeInput: unknown,
): Promise<string | null> | string | null {
  if (source.from === 'caller') return null;
  const uuid = uuidAt(unsafeInput, source.field);
  if (uuid === null) return null;
  return source.from === 'customer' ? uuid : runtime.ownerOf(source.from, uuid);
}

/**
 * Checks the permission, before validation as callers of the old services expect. Synchronous if the customer is
 * known.
 */
export function authorized(
  contract: Declaration,
  ctx: RpcContext,
  unsafeInput: unknown,
): Promise<AuthorizedContext> | AuthorizedContext {
  const { open } = contract.permission;
  const actor = ctx.actor ?? (open === 'anyone' ? anonymous : null);
  if (!actor) throw notAuthenticated({});
  if (open !== undefined) {
    const role = ctx.actor === null ? 'anonymous' : 'signed_in';
    return { ...ctx, actor, customer: null, role, visibleCustomers: [] };
  }
  const permit = (customer: string | null): AuthorizedContext => {
    const role = grantedRole(actor, contract.permission, customer);
    if (role === null) throw missing(contract.permission, contract.denial);
    return { ...ctx, actor, customer, role, visibleCustomers: customer === null ? 'all' : [customer] };
  };
  if (contract.context.isListing) return listing(contract, ctx, actor);
  if (contract.context.from === 'anywhere') {
    const role = heldRole(actor, contract.permission);
    if (role === null) throw missing(contract.permission, contract.denial);
    return { ...ctx, actor, customer: null, role, visibleCustomers: 'all' };
  }
  const found = contextOf(ctx.runtime, contract.context, unsafeInput);
  return found instanceof Promise ? found.then(permit) : permit(found);
}

/** The context of a list: who may see anything passes, and rows of others are left out. */
function listing({ permission }: Declaration, ctx: RpcContext, actor: Actor): AuthorizedContext {
  const visible = visibleCustomers(actor, permission);
  if (visible === null) throw missing(permission, 'plain');
  return { ...ctx, actor, customer: null, role: heldRole(actor, permission) ?? 'staff', visibleCustomers: visible };
}

/** Validates the input; throws validation errors with wire names. */
export function validInput<I extends z.ZodType>(schema: I, unsafeInput: unknown): z.output<I> {
  const problem = storageProblemOf(unsafeInput);
  if (problem !== null) throw invalidInput({ fields: { non_field_errors: [problem] } });
  const parsed = schema.safeParse(unsafeInput, { reportInput: true });
  if (!parsed.success) throw invalidInput({ fields: fieldErrors(parsed.error, schema) }, { cause: parsed.error });
  return parsed.data;
}

/** Reports a missing resource before other validation errors. */
function validOf<I extends z.ZodObject>(
  contract: Declaration<I>,
  { customer }: AuthorizedContext,
  unsafeInput: unknown,
): z.output<I> {
  const { from, field, isListing = false } = contract.context;
  try {
    return validInput(contract.input, unsafeInput);
  } catch (error) {
    if (from !== 'customer' && !isListing && customer === null && uuidAt(unsafeInput, field) !== null)
      throw notFound({}, { cause: error });
    throw error;
  }
}

/**
 * What the audit trail says about changes that the call makes. Operations with a reason have a field `reason` or
 * `changeReason`.
 */
const originOf = (ctx: AuthorizedContext, operation: string, input: object): Origin => ({
  operation,
  source: ctx.source,
  actorUserId: ctx.actor === anonymous ? null : ctx.actor.userId,
  role: ctx.role,
  requestId: ctx.requestId,
  correlationId: ctx.correlationId,
  customerUuid: ctx.customer,
  reason: reasonIn(input),
});

function reasonIn(input: { readonly reason?: unknown; readonly changeReason?: unknown }): string | null {
  const reason = input.reason ?? input.changeReason;
  return typeof reason === 'string' && reason !== '' ? reason : null;
}

/**
 * The pipeline of every call: permission, validation, idempotency, handler, validation of the reply. Both transports
 * use it, and each step runs once.
 */
export function callOf<I extends z.ZodObject, O extends z.ZodType>(
  contract: Contract<I, O>,
  handler: Handler<I, O>,
): Call {
  const checked = replyCheckOf(contract);
  const answer = async (ctx: AuthorizedContext, path: string, input: z.output<I>): Promise<unknown> =>
    checked(ctx.runtime.log, path, await withOrigin(originOf(ctx, path, input), () => handler({ ctx, input })));
  return async (unauthorized, path, unsafeInput) => {
    const permitted = authorized(contract, unauthorized, unsafeInput);
    const ctx = permitted instanceof Promise ? await permitted : permitted;
    if (contract.throttle) await ctx.throttle?.(contract.throttle);
    const input = validOf(contract, ctx, unsafeInput);
    const { idempotencyKey: key, actor, runtime } = ctx;
    if (key === null || contract.kind === 'query') return answer(ctx, path, input);
    const attempt = { actor: actor.username, operation: path, key, customer: ctx.customer, input: unsafeInput };
    const isFinal = (reply: unknown) => contract.isFinal?.(reply as z.output<O>) ?? true;
    return once(runtime, attempt, () => answer(ctx, path, input), isFinal);
  };
}
