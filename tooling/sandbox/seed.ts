import { type Course, course } from './courses.ts';

/** Who exists before anyone asks. The ids are a promise to demos, tests and benchmarks. */
export interface SeedCustomer {
  readonly uuid: string;
  readonly name: string;
  readonly slug: string;
  readonly catalogUuid: string;
  readonly subsidyUuid: string;
  readonly contactEmail: string | null;
  readonly admin: { readonly email: string; readonly lms_user_id: number };
  readonly emailDomain: string;
  readonly firstLearner: number;
  readonly lastLearner: number;
}

export const DEMO: SeedCustomer = {
  uuid: '11111111-1111-4111-8111-111111111111',
  name: 'Demo Company',
  slug: 'demo-company',
  catalogUuid: '22222222-2222-4222-8222-222222222222',
  subsidyUuid: '33333333-3333-4333-8333-333333333333',
  contactEmail: 'learning@demo.example',
  admin: { email: 'admin@demo.example', lms_user_id: 900 },
  emailDomain: 'demo.example',
  firstLearner: 1000,
  lastLearner: 1999,
};

export const OTHER: SeedCustomer = {
  uuid: '44444444-4444-4444-8444-444444444444',
  name: 'Other Company',
  slug: 'other-company',
  catalogUuid: '55555555-5555-4555-8555-555555555555',
  subsidyUuid: '66666666-6666-4666-8666-666666666666',
  contactEmail: null,
  admin: { email: 'admin@other.example', lms_user_id: 901 },
  emailDomain: 'other.example',
  firstLearner: 2000,
  lastLearner: 2099,
};

export const CUSTOMERS: readonly SeedCustomer[] = [DEMO, OTHER];

export const DEMO_GROUP = {
  uuid: '77777777-7777-4777-8777-777777777777',
  name: 'Demo Group',
  customerUuid: DEMO.uuid,
  firstLearner: 1000,
  lastLearner: 1010,
  pendingEmails: ['pending-1@demo.example', 'pending-2@demo.example', 'pending-3@demo.example'],
} as const;

export const SEED_TIME = '2026-01-02T00:00:00Z';
export const STARTING_BALANCE_CENTS = 100_000_000;
export const ACTIVE_FROM = '2020-01-01T00:00:00Z';
export const ACTIVE_UNTIL = '2099-12-31T23:59:59Z';

/** One course for each case that spending must tell apart; 0.29 is the price that truncation turns into 28 cents. */
export const COURSES: readonly Course[] = [
  course({ key: 'edX+DemoX', title: 'Demonstration Course', priceCents: 14_900 }),
  course({
    key: 'edX+PastX',
    title: 'A Course of the Past',
    priceCents: 9_900,
    enrollBy: '2001-01-01T00:00:00Z',
    start: '2000-12-01T00:00:00Z',
  }),
  course({ key: 'edX+CentsX', title: 'Counting Cents', priceCents: 1_999 }),
  course({ key: 'edX+FreeX', title: 'Free for All', priceCents: 0 }),
  course({ key: 'edX+ExecX', title: 'Leading Leaders', priceCents: 250_000, source: '2u', organization: 'GetSmarter' }),
  course({ key: 'edX+TinyX', title: 'A Very Small Price', priceCents: 29 }),
  course({ key: 'edX+PlainX', title: 'A Plain Course', priceCents: 4_900 }),
  course({ key: 'edX+PythonX', title: 'Programming with Python', priceCents: 19_900 }),
  course({ key: 'edX+DataX', title: 'Data Analysis', priceCents: 29_970 }),
  course({ key: 'edX+WriteX', title: 'Writing Well', priceCents: 2_500, pacing: 'instructor_led' }),
  course({ key: 'edX+StatsX', title: 'Statistics', priceCents: 39_960, weeks: 12 }),
  course({ key: 'edX+CloudX', title: 'Cloud Computing', priceCents: 99_900, weeks: 16 }),
];
