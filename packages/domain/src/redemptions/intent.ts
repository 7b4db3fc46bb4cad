import { newUuid } from '../kernel/ids.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import type { Spend } from '../kernel/ports/ledger.ts';

/** Amount, learner and key of a spend; the rest of the intent is derived. */
export interface Terms
  extends Pick<
    Spend,
    | 'idempotencyKey'
    | 'subsidyUuid'
    | 'policyUuid'
    | 'enterpriseCustomerUuid'
    | 'lmsUserId'
    | 'contentKey'
    | 'priceCents'
    | 'requestedPriceCents'
    | 'metadata'
    | 'assignmentUuid'
  > {
  readonly lmsUserEmail: string | null;
  readonly content: Content | null;
  readonly at: Date;
}

/** The intent to spend, with its snapshot of learner and course (R-LED-15). */
export const intentOf = ({ lmsUserEmail, content, at, ...terms }: Terms): Spend => ({
  ...terms,
  uuid: newUuid(),
  content: {
    lmsUserEmail,
    parentContentKey: content?.contentKey ?? null,
    title: content?.title ?? null,
    courseRunStartDate: content?.courseRunStartDate?.toISOString() ?? null,
  },
  created: at,
});
