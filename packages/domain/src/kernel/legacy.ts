import type { z } from 'zod';
import type { Contract } from './contract.ts';
import type { Settings } from './settings.ts';

/** What an encoder may need of the request to write links. */
export interface RestRequest {
  /** Absolute URL as the client called it. */
  readonly url: URL;
  readonly settings: Settings;
}

/** A reply that is not the plain snake_case form of the output. */
export interface LegacyReply<O = unknown> {
  /** The body on the wire; documents the reply. */
  readonly body: z.ZodType;
  readonly encode: (output: O, request: RestRequest) => unknown;
  readonly status?: (output: O) => number;
  /** Further statuses that `status` can answer with. */
  readonly statuses?: readonly number[];
  /** Anything other than JSON, as text. */
  readonly contentType?: (output: O) => string | null;
  /** What `contentType` can answer with. */
  readonly otherTypes?: readonly string[];
}

export interface LegacyError {
  readonly body: z.ZodType;
  /** Undefined is a reply without a body. */
  readonly encode: (details: never, message: string) => unknown;
}

/** A name of the old query strings for a field of the contract. */
export interface QueryName {
  readonly field: string;
  /** One text holds several values, separated by commas. */
  readonly isList?: boolean;
  readonly description: string;
  readonly example: string;
}

/** Where an operation's REST form differs from what its contract alone would give. */
export interface LegacyForm {
  readonly reply?: LegacyReply<never>;
  /** Parts of the input that are read from the query string, whatever the method, by their old names. */
  readonly query?: Readonly<Record<string, QueryName>>;
  /** By error code. */
  readonly errors?: Readonly<Record<string, LegacyError>>;
}

/** Types the encoder by the contract whose output it gets. */
export const legacyReply = <C extends Contract>(
  _contract: C,
  reply: LegacyReply<z.infer<C['output']>>,
): LegacyReply<never> => reply as LegacyReply<never>;

/** In bodies made of structured detail every leaf is text: null is "None" and 12 is "12". */
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
