import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';

/** Thrown to answer a request early; `body` is the exact body of the upstream service. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(`Refused with ${status}`);
    this.status = status;
    this.body = body;
  }
}

export const notFound = (detail = 'Not found.') => new Refusal(404, { detail });

/** Query parameters like in Django: `one` returns the last value, `many` all values. */
export interface Query {
  one(name: string): string | undefined;
  many(name: string): string[];
  has(name: string): boolean;
}

const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string');

export function queryOf(request: FastifyRequest): Query {
  const values = request.query as Record<string, unknown>;
  return {
    one: (name) => texts(values[name]).at(-1),
    many: (name) => texts(values[name]),
    has: (name) => values[name] !== undefined,
  };
}

/** Parses a flag in a query string or form like Django. */
export const isTrue = (text: string | undefined) => text !== undefined && /^(true|1)$/i.test(text);

/** Parses a body, or answers 400 with the field map that a DRF serializer would have produced. */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const fields: Record<string, string[]> = {};
  for (const issue of parsed.error.issues) {
    const field = issue.path.join('.') || 'non_field_errors';
    fields[field] = [...(fields[field] ?? []), issue.message];
  }
  throw new Refusal(400, fields);
}

/** Whole seconds without a fraction, as the upstream services write them. */
export const iso = (date: Date) => date.toISOString().replace('.000Z', 'Z');

/** A filter that is there and not empty: DRF ignores empty ones. */
export const queryText = (query: Query, name: string) => query.one(name) || undefined;
