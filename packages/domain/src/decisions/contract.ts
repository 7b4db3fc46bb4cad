import { z } from 'zod';

/** What was decided about. */
export const decisionKinds = ['redeem', 'redeem_assignment', 'force', 'allocate', 'can_redeem', 'can_request'] as const;
export type DecisionKind = (typeof decisionKinds)[number];

export const decisionVerdicts = ['allowed', 'refused'] as const;
export type DecisionVerdict = (typeof decisionVerdicts)[number];

/** Field of a refusal’s details. */
export const decisionUuid = () =>
  z.string().nullable().describe('The stored decision, for `redemptions.getDecision`; null when none is kept.');
