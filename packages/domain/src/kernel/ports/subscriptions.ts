/** How a change of a licence plan ended. `refused` is final, for example because the plan does not exist. */
export type PlanOutcome = 'done' | 'refused';

/**
 * What billing needs of the licence service. Every call can be repeated: a plan that is in the wanted state, and a
 * renewal that is processed, stay as they are and count as done. Throws `UpstreamFailure` when the outcome is unknown.
 */
export interface Subscriptions {
  /** Activates or deactivates a plan of licences, inactive plans included. */
  setPlanActive(planUuid: string, isActive: boolean): Promise<PlanOutcome>;
  /** Processes the renewal that turns one plan into its successor, by the number of the renewal. */
  processRenewal(renewalId: number): Promise<PlanOutcome>;
}
