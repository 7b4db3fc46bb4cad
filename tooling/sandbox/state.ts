import type { BrazeStore } from './braze.ts';
import { emptyBraze } from './braze.ts';
import type { ContentStore, CourseSeed } from './content.ts';
import type { Fault } from './faults.ts';
import type { LmsStore } from './lms-store.ts';
import { seedContent, seedLms, seedSubsidies } from './seed.ts';
import type { SubsidyStore } from './subsidies.ts';

/** Everything the stand-in services know. A reset replaces the parts, so hold on to this object and not to a part. */
export interface SandboxState {
  readonly now: () => Date;
  readonly catalogCourses: readonly CourseSeed[];
  lms: LmsStore;
  content: ContentStore;
  subsidies: SubsidyStore;
  braze: BrazeStore;
  faults: Fault[];
  /** How often each "METHOD path" was asked for. */
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

/** Back to the first moment: data, faults, counters and recorded mails. */
export function resetState(state: SandboxState): void {
  Object.assign(state, freshParts(state.catalogCourses));
}
