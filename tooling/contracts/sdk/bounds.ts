import type { Side } from '@enterprise-access/domain';
import { z } from 'zod';

interface Json {
  readonly type?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly anyOf?: readonly Json[];
}

export const jsonOf = (schema: z.ZodType, io: Side): Json =>
  z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;

const number = (value: number): string => value.toLocaleString('en-US');

function range(least: number | undefined, most: number | undefined): string | null {
  const low = least !== undefined && least > Number.MIN_SAFE_INTEGER ? least : null;
  const high = most !== undefined && most < Number.MAX_SAFE_INTEGER ? most : null;
  if (low !== null && high !== null) return `${number(low)} to ${number(high)}`;
  if (low !== null) return `at least ${number(low)}`;
  return high === null ? null : `at most ${number(high)}`;
}

const after = (text: string | null, unit: string): string | null => text && `${text}${unit}`;

/** The constraints of a value as a sentence; empty if the type says it already. */
export function boundsOf(schema: z.ZodType, side: Side): string {
  const json = jsonOf(schema, side);
  const inner = json.anyOf?.find(({ type }) => type !== 'null') ?? json;
  const bounds = [
    inner.type === 'integer' ? 'integer' : null,
    inner.format === 'uuid' ? 'UUID' : null,
    range(inner.minimum, inner.maximum),
    after(range(inner.minLength, inner.maxLength), ' characters'),
    after(range(inner.minItems, inner.maxItems), ' items'),
  ].filter((part) => part !== null);
  const [first = '', ...rest] = bounds;
  return bounds.length === 0 ? '' : `${[first.charAt(0).toUpperCase() + first.slice(1), ...rest].join(', ')}.`;
}

/** The default of a field as text; null if there is none. */
export function defaultOf(schema: z.ZodType): string | null {
  const { default: value } = jsonOf(schema, 'input');
  return value === undefined ? null : JSON.stringify(value);
}
