import type { BrazeStore } from './braze.ts';
import { emptyBraze } from './braze.ts';
import type { ContentStore, CourseSeed } from './content.ts';
import type { Fault } from './faults.ts';
import type { LmsStore } from './lms-store.ts';
import { seedContent, seedLms, seedSubsidies } from './seed.ts';
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

/** State of all fake services. A reset replaces its parts, so keep a reference to this object and not to a part. */
export interface SandboxState {
  readonly now: () => Date;
  readonly catalogCourses: readonly CourseSeed[];
  lms: LmsStore;
  content: ContentStore;
  subsidies: SubsidyStore;
  braze: BrazeStore;
  provisioning: ProvisioningStore;
  faults: Fault[];
  /** Number of requests per "METHOD path". */
  requests: Map<string, number>;
}

const freshParts = (catalogCourses: readonly CourseSeed[]) => ({
  lms: seedLms(),
  content: seedContent(catalogCourses),
  subsidies: seedSubsidies(),
  braze: emptyBraze(),
  provisioning: { invited: new Map(), catalogs: [], academies: new Set() },
  faults: [],
  requests: new Map<string, number>(),
});

export const createState = (now: () => Date, catalogCourses: readonly CourseSeed[]): SandboxState => ({
  now,
  catalogCourses,
  ...freshParts(catalogCourses),
});

/** Resets data, faults, counters and recorded mails. */
export function resetState(state: SandboxState): void {
  Object.assign(state, freshParts(state.catalogCourses));
}
