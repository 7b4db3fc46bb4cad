import { type Course, demonstrationCourses } from './courses.ts';

export interface Learner {
  readonly lmsUserId: number;
  readonly email: string;
  readonly customerUuid: string;
  readonly groups: readonly string[];
  readonly linked: boolean;
}

export interface Customer {
  readonly uuid: string;
  readonly name: string;
  readonly slug: string;
  readonly catalogUuid: string;
  readonly contactEmail: string | null;
  readonly admin: { readonly email: string; readonly lmsUserId: number };
}

export interface Member {
  readonly lmsUserId: number | null;
  readonly email: string;
  readonly name: string | null;
  readonly status: 'accepted' | 'pending' | 'removed';
  readonly recentAction: string;
}

/** All that the stand-in services know. */
export interface State {
  readonly customers: Map<string, Customer>;
  readonly learners: Map<number, Learner>;
  readonly courses: Map<string, Course>;
  readonly groups: Map<string, { readonly name: string; readonly members: Member[] }>;
  /** Fulfilment ids by transaction: the LMS enrols once for each. */
  readonly enrollments: Map<string, string>;
}

export const DEMO = '11111111-1111-4111-8111-111111111111';
export const OTHER = '44444444-4444-4444-8444-444444444444';
export const GROUP = '77777777-7777-4777-8777-777777777777';

const customers: readonly Customer[] = [
  {
    uuid: DEMO,
    name: 'Demo Company',
    slug: 'demo-company',
    catalogUuid: '22222222-2222-4222-8222-222222222222',
    contactEmail: 'learning@demo.example',
    admin: { email: 'admin@demo.example', lmsUserId: 900 },
  },
  {
    uuid: OTHER,
    name: 'Other Company',
    slug: 'other-company',
    catalogUuid: '55555555-5555-4555-8555-555555555555',
    contactEmail: null,
    admin: { email: 'admin@other.example', lmsUserId: 901 },
  },
];

const span = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);

/** Puts a course under both of its names. */
export function addCourse(state: State, course: Course): void {
  state.courses.set(course.key, course).set(course.runKey, course);
}

export function removeCourse(state: State, key: string): void {
  const course = state.courses.get(key);
  if (course) for (const name of [course.key, course.runKey]) state.courses.delete(name);
}

export function seededState(courses: readonly Course[]): State {
  const state: State = { customers: new Map(), learners: new Map(), courses: new Map(), groups: new Map(), enrollments: new Map() };
  reseed(state, courses);
  return state;
}

/** Back to the beginning, in place. */
export function reseed(state: State, courses: readonly Course[]): void {
  for (const part of Object.values(state) as Map<unknown, unknown>[]) part.clear();
  for (const customer of customers) state.customers.set(customer.uuid, customer);
  const learner = (id: number, customerUuid: string, domain: string): Learner => ({
    lmsUserId: id,
    email: `learner-${id}@${domain}`,
    customerUuid,
    groups: id >= 1_000 && id <= 1_010 ? [GROUP] : [],
    linked: true,
  });
  for (const id of span(1_000, 1_000)) state.learners.set(id, learner(id, DEMO, 'demo.example'));
  for (const id of span(2_000, 100)) state.learners.set(id, learner(id, OTHER, 'other.example'));
  const accepted: Member[] = span(1_000, 11).map((id) => ({
    lmsUserId: id,
    email: `learner-${id}@demo.example`,
    name: `Learner ${id}`,
    status: 'accepted',
    recentAction: 'Accepted: April 24, 2026',
  }));
  const pending: Member[] = span(1, 3).map((id) => ({
    lmsUserId: null,
    email: `pending-${id}@demo.example`,
    name: null,
    status: 'pending',
    recentAction: 'Invited: May 01, 2026',
  }));
  state.groups.set(GROUP, { name: 'Demo Group', members: [...accepted, ...pending] });
  for (const course of [...demonstrationCourses, ...courses]) addCourse(state, course);
}
