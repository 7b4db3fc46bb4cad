import { stableUuid } from './ids.ts';

export type ProductSource = 'edX' | '2u';

/** One course run as a seed, a catalog row or the control API describes it. */
export interface CourseSeed {
  courseKey: string;
  courseRunKey: string;
  title: string;
  priceCents: number;
  slug?: string;
  institution?: string;
  subject?: string;
  level?: string;
  language?: string;
  pacing?: string;
  weeks?: number;
  startDate?: string;
  endDate?: string;
  enrollByDate?: string | null;
  productSource?: ProductSource;
  restrictionType?: string | null;
}

export type Run = Required<Omit<CourseSeed, 'courseKey' | 'courseRunKey' | 'slug' | 'institution'>> & {
  key: string;
  uuid: string;
};

export interface Course {
  key: string;
  uuid: string;
  title: string;
  slug: string;
  institution: string;
  productSource: ProductSource;
  /** The first run is the advertised one. */
  runs: readonly [Run, ...Run[]];
}

export interface Catalog {
  uuid: string;
  title: string;
  customerUuid: string;
  courseKeys: Set<string>;
}

/** What a content id stands for; `run` is null when the id names the course itself. */
export interface ContentRef {
  courseKey: string;
  runKey: string | null;
}

export interface ContentStore {
  courses: Map<string, Course>;
  /** Course keys, run keys and the uuids of both. */
  ids: Map<string, ContentRef>;
  catalogs: Map<string, Catalog>;
  catalogsByCustomer: Map<string, Catalog[]>;
}

export const emptyContent = (): ContentStore => ({
  courses: new Map(),
  ids: new Map(),
  catalogs: new Map(),
  catalogsByCustomer: new Map(),
});

export function addCatalog(content: ContentStore, catalog: Catalog): void {
  content.catalogs.set(catalog.uuid, catalog);
  const others = content.catalogsByCustomer.get(catalog.customerUuid) ?? [];
  content.catalogsByCustomer.set(catalog.customerUuid, [...others, catalog]);
}

function runFrom(seed: CourseSeed): Run {
  return {
    key: seed.courseRunKey,
    uuid: stableUuid(`run:${seed.courseRunKey}`),
    title: seed.title,
    priceCents: seed.priceCents,
    subject: seed.subject ?? 'Computer Science',
    level: seed.level ?? 'Introductory',
    language: seed.language ?? 'English',
    pacing: seed.pacing ?? 'self_paced',
    weeks: seed.weeks ?? 4,
    startDate: seed.startDate ?? '2026-04-01T00:00:00Z',
    endDate: seed.endDate ?? '2099-12-31T23:59:59Z',
    enrollByDate: seed.enrollByDate === undefined ? '2099-06-30T23:59:59Z' : seed.enrollByDate,
    productSource: seed.productSource ?? 'edX',
    restrictionType: seed.restrictionType ?? null,
  };
}

/** Adds a run to its course, or replaces it. Courses are never changed in place: records are cached by identity. */
export function putCourse(content: ContentStore, seed: CourseSeed): Course {
  const run = runFrom(seed);
  const known = content.courses.get(seed.courseKey);
  const runs = known ? known.runs.map((other) => (other.key === run.key ? run : other)) : [];
  if (!runs.includes(run)) runs.push(run);
  const [first = run, ...rest] = runs;
  const course: Course = {
    key: seed.courseKey,
    uuid: stableUuid(`course:${seed.courseKey}`),
    title: seed.title,
    slug: seed.slug ?? known?.slug ?? seed.courseKey.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
    institution: seed.institution ?? known?.institution ?? 'edX',
    productSource: run.productSource,
    runs: [first, ...rest],
  };
  content.courses.set(course.key, course);
  for (const id of [course.key, course.uuid]) content.ids.set(id, { courseKey: course.key, runKey: null });
  for (const id of [run.key, run.uuid]) content.ids.set(id, { courseKey: course.key, runKey: run.key });
  return course;
}

/** Forgets a course everywhere. */
export function removeCourse(content: ContentStore, courseKey: string): void {
  const course = content.courses.get(courseKey);
  if (!course) return;
  content.courses.delete(courseKey);
  for (const id of [course.key, course.uuid, ...course.runs.flatMap((run) => [run.key, run.uuid])]) {
    content.ids.delete(id);
  }
  for (const catalog of content.catalogs.values()) catalog.courseKeys.delete(courseKey);
}

/** Clients send `+` unencoded in query strings, where it reads as a space; no content key has spaces. */
export const contentId = (text: string) => text.replaceAll(' ', '+');

/** A content id resolved: the course, and the run the id stands for (R-UP-33). */
export interface Found {
  course: Course;
  run: Run;
  /** False when the id named the course, and `run` is merely the advertised one. */
  isRun: boolean;
}

export function findContent(content: ContentStore, id: string): Found | undefined {
  const ref = content.ids.get(contentId(id));
  const course = ref && content.courses.get(ref.courseKey);
  if (!ref || !course) return undefined;
  const run = course.runs.find((candidate) => candidate.key === ref.runKey) ?? course.runs[0];
  return { course, run, isRun: ref.runKey !== null };
}

/** The content if any catalog of the customer holds it. */
export function findForCustomer(content: ContentStore, customerUuid: string, id: string): Found | undefined {
  const found = findContent(content, id);
  const catalogs = content.catalogsByCustomer.get(customerUuid) ?? [];
  return found && catalogs.some((catalog) => catalog.courseKeys.has(found.course.key)) ? found : undefined;
}
