import type { PlanRow } from '../rules.ts';

/** A plan without licences and without a past. */
export const unused = {
  expirationProcessed: false,
  numRevocationsApplied: 0,
  lastFreezeTimestamp: null,
  expirationSentTo: null,
  expirationAnnouncedTo: null,
  expirationProgressOf: null,
  unassignedCount: 0,
  assignedCount: 0,
  activatedCount: 0,
  revokedCount: 0,
  retiredCount: 0,
} as const satisfies Partial<PlanRow>;
