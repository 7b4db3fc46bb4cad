import { z } from 'zod';
import type { Contract } from './contract.ts';
import type { Settings } from './settings.ts';

/** Request data that an encoder needs to build links. */
export interface RestRequest {
  /** Absolute URL as the client called it. */
  readonly url: URL;
  readonly settings: Settings;
}

/** A reply that differs from the default snake_case form of the output. */
export interface LegacyReply<O = unknown> {
  /** The body on the wire; documents the reply. */
  readonly body: z.ZodType;
  readonly encode: (output: O, request: RestRequest) => unknown;
  readonly status?: (output: O) => number;
  /** Other statuses that `status` can return. */
  readonly statuses?: readonly number[];
  /** Content type of a reply that is text instead of JSON. */
  readonly contentType?: (output: O) => string | null;
  /**
   * For a reply that is one text in several parts: the input of the next part, null after the last. The text is sent as
   * one JSON string, each part when the client has taken the one before.
   */
  readonly following?: (output: O) => Readonly<Record<string, unknown>> | null;
  /** Content types that `contentType` can return. */
  readonly otherTypes?: readonly string[];
}

export interface LegacyError {
  readonly body: z.ZodType;
  /** Undefined is a reply without a body. */
  readonly encode: (details: never, message: string) => unknown;
}

/** Maps an old query parameter to a field of the contract. */
export interface QueryName {
  readonly field: string;
  /** The parameter is a comma-separated list. */
  readonly isList?: boolean;
  readonly description: string;
  readonly example: string;
}

/** Differences of an operation's REST form from the default form of its contract. */
export interface LegacyForm {
  readonly reply?: LegacyReply<never>;
  /** Old query parameters, for any method. */
  readonly query?: Readonly<Record<string, QueryName>>;
  /** Flags in the query, by their fields, that are true for the word true in any case and false for anything else. */
  readonly onlyTrueIsTrue?: readonly string[];
  /** By error code. */
  readonly errors?: Readonly<Record<string, LegacyError>>;
  /** Reply (400) to a body that is not JSON, where the old service had a form of its own for it. */
  readonly unreadable?: Readonly<Record<string, unknown>>;
  /** A malformed value in the path is not found; otherwise it is bad input. */
  readonly isMalformedPathUnknown?: boolean;
}

/** Declares a reply; the type of the encoder's argument comes from the contract. */
export const legacyReply = <C extends Contract>(
  _contract: C,
  reply: LegacyReply<z.infer<C['output']>>,
): LegacyReply<never> => reply as LegacyReply<never>;

/** A body of messages by field. It has a name because generators of clients cannot put a nameless map into a union. */
export const messagesByField = z
  .looseObject({ non_field_errors: z.unknown().optional().describe('Messages of the whole input.') })
  .meta({ title: 'AnyMessagesByField' });

/** Converts every leaf to text like the old services do in structured details: null becomes "None", 12 becomes "12". */
export function leavesAsText(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(leavesAsText);
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, leavesAsText(item)]));
  }
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}
