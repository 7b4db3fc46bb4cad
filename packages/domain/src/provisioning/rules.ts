import type { ProvisionedPlan } from '../kernel/ports/plan-provisioning.ts';

/**
 * The plan of an agreement that a request means (R-PROV-22): with its line item, or else with its title. Inactive plans
 * count. A request without a line item never means a plan only because that has none either (W-06).
 */
export function matching(
  plans: readonly ProvisionedPlan[],
  wanted: { readonly title: string; readonly salesforceOpportunityLineItem: string | null },
): ProvisionedPlan | null {
  const { title, salesforceOpportunityLineItem: lineItem } = wanted;
  const byLineItem = plans.find((plan) => lineItem !== null && plan.salesforceOpportunityLineItem === lineItem);
  return byLineItem ?? plans.find((plan) => plan.title === title) ?? null;
}

/** The same day a year later; February 29 becomes February 28 (R-PROV-27). */
export function aYearLater(start: Date): Date {
  const later = new Date(start);
  later.setUTCFullYear(start.getUTCFullYear() + 1);
  if (later.getUTCMonth() !== start.getUTCMonth()) later.setUTCDate(0);
  return later;
}

/** Title of the paid plan that is made for requests in the old form (R-PROV-36). */
export const firstPaidTitle = (trialTitle: string): string => `${trialTitle} - First Paid Plan`;

/** A line item as the licence service takes it. */
export const isLineItem = (text: string): boolean => text.startsWith('00k');
