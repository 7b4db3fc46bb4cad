import { camelCase, type Operation, type StreamOperation, snakeCase } from '@enterprise-access/domain';
import { slicesTesting } from '@enterprise-access/domain/testing';
import superjson from 'superjson';
import { z } from 'zod';
import { demonstration, type startApp } from './harness.ts';

export type World = Awaited<ReturnType<typeof startApp>>;
export type Input = Record<string, unknown>;
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Valid values by field name; others are made from their schema. */
export const examples: Readonly<Record<string, unknown>> = Object.assign(
  {},
  ...slicesTesting.map((slice) => slice.examples),
);
const contexts: Readonly<Record<string, string>> = Object.assign(
  { customer: demonstration.customer },
  ...slicesTesting.map((slice) => slice.contexts),
);

type Schema = { type?: string; enum?: unknown[]; minimum?: number; format?: string; items?: Schema; anyOf?: Schema[] };

function fromSchema(schema: Schema): unknown {
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return fromSchema(schema.anyOf[0]);
  if (schema.type === 'integer' || schema.type === 'number') return Math.max(1, schema.minimum ?? 1);
  if (schema.type === 'boolean') return false;
  if (schema.type === 'array') return schema.items ? [fromSchema(schema.items)] : [];
  if (schema.type === 'object') return {};
  return schema.format === 'uuid' ? demonstration.group : 'text';
}

interface InputSchema {
  readonly properties?: Record<string, Schema>;
  readonly required?: string[];
}

const made = new WeakMap<object, InputSchema>();

/** Made once per contract: some tests ask for thousands of inputs. */
function jsonOf({ contract }: Operation | StreamOperation): InputSchema {
  const known =
    made.get(contract) ?? (z.toJSONSchema(contract.input, { io: 'input', unrepresentable: 'any' }) as InputSchema);
  made.set(contract, known);
  return known;
}

export const requiredOf = (operation: Operation | StreamOperation): string[] => jsonOf(operation).required ?? [];

/** A valid input: required fields, and optional fields with an example. */
export function sampleInput(operation: Operation | StreamOperation, change: Input = {}): Input {
  const { properties = {} } = jsonOf(operation);
  const required = new Set(requiredOf(operation));
  const input: Input = {};
  for (const [name, schema] of Object.entries(properties)) {
    if (!required.has(name) && name !== 'traversePagination') continue;
    const value = examples[name] ?? fromSchema(schema);
    input[name] = schema.type === 'array' && !Array.isArray(value) ? [value] : value;
  }
  const { from, field } = operation.contract.context;
  if (Object.hasOwn(contexts, from)) input[field] = contexts[from];
  return { ...input, ...change };
}

const PLACEHOLDER = /\{(\w+)\}/g;
export const pathNames = (operation: Operation): string[] =>
  [...operation.contract.rest.path.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
export const methodsOf = ({ contract: { rest } }: Operation): Method[] => [rest.method, ...(rest.alsoMethods ?? [])];

/** With the names of the wire in objects and lists of objects. */
function onWire(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(onWire);
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [snakeCase(name), onWire(part)]));
}

/** The REST request for an input, with wire names in path, query or body. */
export function restRequest(operation: Operation, input: Input): { url: string; body?: Input } {
  const { method, path } = operation.contract.rest;
  const inPath = new Set(pathNames(operation));
  const url = path.replace(PLACEHOLDER, (_all, name: string) => encodeURIComponent(String(input[name])));
  const others = Object.entries(input).filter(([name]) => !inPath.has(name));
  if (method !== 'GET')
    return { url, body: Object.fromEntries(others.map(([name, value]) => [snakeCase(name), onWire(value)])) };
  const query = new URLSearchParams();
  for (const [name, value] of others) {
    for (const each of Array.isArray(value) ? value : [value]) query.append(snakeCase(name), String(each));
  }
  return { url: query.size > 0 ? `${url}?${query}` : url };
}

export async function viaRest(world: World, operation: Operation, input: Input, token: string | null, headers = {}) {
  const { url, body } = restRequest(operation, input);
  return world.call(operation.contract.rest.method, url, token, body, headers);
}

/** One call over tRPC, without batching. */
export async function viaTrpc(world: World, operation: Operation, input: Input, token: string | null, headers = {}) {
  const text = superjson.stringify(input);
  const isQuery = operation.contract.kind === 'query';
  const reply = await world.app.inject({
    method: isQuery ? 'GET' : 'POST',
    url: `/trpc/${operation.id}${isQuery ? `?input=${encodeURIComponent(text)}` : ''}`,
    headers: {
      ...(token === null ? {} : { authorization: `JWT ${token}` }),
      ...(isQuery ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(isQuery ? {} : { payload: text }),
  });
  const json = reply.json();
  return {
    status: reply.statusCode,
    data: json.result ? superjson.deserialize<unknown>(json.result.data) : undefined,
    error: json.error ? superjson.deserialize<{ message: string; data: Input }>(json.error) : undefined,
  };
}

/** Status and error of a stream over tRPC, which must end by itself. */
export async function viaStream(world: World, operation: StreamOperation, input: Input, token: string | null) {
  const reply = await world.app.inject({
    method: 'GET',
    url: `/trpc/${operation.id}?input=${encodeURIComponent(superjson.stringify(input))}`,
    headers: { accept: 'text/event-stream', ...(token === null ? {} : { authorization: `JWT ${token}` }) },
  });
  const text = /event: serialized-error\ndata: (.*)/.exec(reply.body)?.[1];
  if (text === undefined) return { status: reply.statusCode, error: undefined };
  const error = superjson.deserialize<{ message: string; data: Input }>(JSON.parse(text));
  return { status: Number(error.data.httpStatus), error };
}

/** Tables that requests can write to; `users` follows the tokens. */
const WRITTEN = [
  'policies',
  'policy_groups',
  'policy_deposits',
  'policy_learner_budgets',
  'assignment_configurations',
  'assignments',
  'assignment_actions',
  'assignment_counts',
  'allocation_batches',
  'redemptions',
  'forced_redemptions',
  'subsidies',
  'ledgers',
  'ledger_transactions',
  'ledger_reversals',
  'ledger_deposits',
  'idempotency_records',
  'outbox',
  'audit_entries',
  'audit_changes',
];

/** How many rows each of these tables has, asked at once: tests count before and after each request. */
export async function rowCounts({ db }: Pick<World, 'db'>): Promise<Record<string, number>> {
  const counts = WRITTEN.map((table) => db(table).count('*').as(table));
  const row: Readonly<Record<string, unknown>> = await db.select(counts).first();
  return Object.fromEntries(WRITTEN.map((table) => [table, Number(row[table])]));
}

export const nameOfWire = camelCase;
