import type { BrazeStore } from './braze.ts';
import { emptyBraze } from './braze.ts';
import type { ContentStore, CourseSeed } from './content.ts';
import type { Fault } from './faults.ts';
import { emptyLicenses, type LicenseStore } from './license-manager.ts';
import type { LmsStore } from './lms-store.ts';
import { seedContent, seedLms, seedSubsidies } from './seed.ts';
import { type StripeLife, stripeLife } from './stripe-life.ts';
import { type Json, type StripeStore, seedStripe } from './stripe-store.ts';
import type { SubsidyStore } from './subsidies.ts';

/** What provisioning has made in the LMS and in enterprise-catalog. */
export interface ProvisioningStore {
  /** Invited administrators by customer, in lower case. */
  readonly invited: Map<string, Set<string>>;
  readonly catalogs: {
    readonly uuid: string;
    readonly enterprise_customer: string;
    readonly title: string;
    readonly enterprise_catalog_query: number;
  }[];
  /** Academy and catalog. */
  readonly academies: Set<string>;
}

/** What somebody buys. */
export interface Order {
  readonly price: string;
  readonly quantity: number;
  readonly trialDays: number;
  readonly metadata: Json;
}

const emptyProvisioning = (): ProvisioningStore => ({ invited: new Map(), catalogs: [], academies: new Set() });

/** State of all fake services. A reset replaces its parts, so keep a reference to this object and not to a part. */
export interface SandboxState {
  readonly now: () => Date;
  readonly catalogCourses: readonly CourseSeed[];
  /** What can happen at Stripe. */
  readonly stripeLife: StripeLife;
  lms: LmsStore;
  content: ContentStore;
  subsidies: SubsidyStore;
  braze: BrazeStore;
  provisioning: ProvisioningStore;
  stripe: StripeStore;
  licenses: LicenseStore;
  /** What was ordered at each session of Stripe. */
  orders: Map<string, Order>;
  faults: Fault[];
  /** Number of requests per "METHOD path". */
  requests: Map<string, number>;
}

const freshParts = (catalogCourses: readonly CourseSeed[]) => ({
  lms: seedLms(),
  content: seedContent(catalogCourses),
  subsidies: seedSubsidies(),
  braze: emptyBraze(),
  provisioning: emptyProvisioning(),
  stripe: seedStripe(),
  licenses: emptyLicenses(),
  orders: new Map<string, Order>(),
  faults: [],
  requests: new Map<string, number>(),
});

export function createState(now: () => Date, catalogCourses: readonly CourseSeed[]): SandboxState {
  const state: SandboxState = {
    now,
    catalogCourses,
    stripeLife: stripeLife(() => state.stripe, now),
    ...freshParts(catalogCourses),
  };
  return state;
}

/** Resets data, faults, counters and recorded mails. */
export function resetState(state: SandboxState): void {
  const { url, secret, mode } = state.stripe.webhook;
  Object.assign(state, freshParts(state.catalogCourses));
  Object.assign(state.stripe.webhook, { url, secret, mode });
}
