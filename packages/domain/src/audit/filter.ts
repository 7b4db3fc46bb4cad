import type { z } from 'zod';
import { firstUuidAt } from '../kernel/ids.ts';
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
