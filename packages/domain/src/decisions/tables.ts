import { defineModel, is, type Row } from '@enterprise-access/db';
import type { DecisionKind, DecisionVerdict } from './contract.ts';

/** What the rules judged, in a form that is stored. */
export interface StoredFacts {
  /** Version of the form and of the list of checks. */
  readonly v: number;
  readonly of: 'redemption' | 'allocation' | 'support' | 'request';
  readonly [fact: string]: unknown;
}

/** Checks that did not pass, by name; every other check of the version passed. */
export type NotPassed = Readonly<Record<string, 'failed' | 'unknown'>>;

/** Rows name nobody but by ids, and hold no text of callers. */
export const decisions = defineModel('redemption_decisions', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    created: is.instant(),
    enterpriseCustomerUuid: is.uuid(),
    policyUuid: is.uuid().nullable(),
    lmsUserId: is.integer().nullable(),
    contentKey: is.text().nullable(),
    kind: is.code<DecisionKind>(),
    verdict: is.code<DecisionVerdict>(),
    reason: is.code().nullable(),
    /** Allocation judges a list of learners as one. */
    learnerCount: is.integer(),
    checks: is.json<NotPassed>(),
    facts: is.json<StoredFacts>(),
    requestId: is.code().nullable(),
    redemptionUuid: is.uuid().nullable(),
  },
});

export type Decision = Row<typeof decisions>;
