import type { BrazeStore } from './braze.ts';
import { emptyBraze } from './braze.ts';
import type { ContentStore, CourseSeed } from './content.ts';
import type { Fault } from './faults.ts';
import type { LmsStore } from './lms-store.ts';
import { seedContent, seedLms, seedSubsidies } from './seed.ts';
import type { SubsidyStore } from './subsidies.ts';

/** State of all fake services. A reset replaces its parts, so keep a reference to this object and not to a part. */
export interface SandboxState {
  readonly now: () => Date;
  readonly catalogCourses: readonly CourseSeed[];
  lms: LmsStore;
  content: ContentStore;
  subsidies: SubsidyStore;
  braze: BrazeStore;
  faults: Fault[];
  /** Number of requests per "METHOD path". */
  requests: Map<string, number>;
}

const freshParts = (catalogCourses: readonly CourseSeed[]) => ({
  lms: seedLms(),
  content: seedContent(catalogCourses),
  subsidies: seedSubsidies(),
  braze: emptyBraze(),
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
