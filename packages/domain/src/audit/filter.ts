import type { z } from 'zod';
import type { filterFields } from './contract.ts';

/** Which entries are meant; ready to be kept as JSON. */
export interface Filter {
  readonly subjectUuid?: string | undefined;
  readonly lmsUserId?: number | undefined;
  readonly learnerEmail?: string | undefined;
  readonly actorUserId?: number | undefined;
  readonly operation?: string | undefined;
  readonly correlationId?: string | undefined;
  /** The first uuid that is meant. */
  readonly from?: string | undefined;
  /** The first uuid that is not. */
  readonly to?: string | undefined;
}

/** What a caller may see. */
export interface Viewer {
  /** Null: all customers. */
  readonly customer: string | null;
  /** Also what only staff may know. */
  readonly isInternal: boolean;
}

const LAST_MS = 2 ** 48 - 1;

/** The smallest uuid of version 7 of that millisecond: ids of entries are in the order of time. */
export function firstUuidAt(time: Date): string {
  const hex = Math.min(Math.max(time.getTime(), 0), LAST_MS).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

type FilterInput = { readonly [K in keyof typeof filterFields]?: z.output<(typeof filterFields)[K]> };

export function filterOf(input: FilterInput): Filter {
  const { subjectUuid, lmsUserId, learnerEmail, actorUserId, operation, correlationId, createdFrom, createdTo } = input;
  return {
    subjectUuid,
    lmsUserId,
    learnerEmail,
    actorUserId,
    operation,
    correlationId,
    from: createdFrom && firstUuidAt(createdFrom),
    to: createdTo && firstUuidAt(createdTo),
  };
}
