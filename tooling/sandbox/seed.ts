import type { ContentStore, CourseSeed } from './content.ts';
import { addCatalog, emptyContent, putCourse } from './content.ts';
import type { LmsStore } from './lms-store.ts';
import { addCustomer, emptyLms, inviteToGroup, joinGroup, putAccount, putLink } from './lms-store.ts';
import type { SubsidyStore } from './subsidies.ts';
import { addSubsidy, emptySubsidies } from './subsidies.ts';

/** Scripts, examples and other tools rely on these ids. */
export const demo = {
  customerUuid: '11111111-1111-4111-8111-111111111111',
  catalogUuid: '22222222-2222-4222-8222-222222222222',
  subsidyUuid: '33333333-3333-4333-8333-333333333333',
  groupUuid: '77777777-7777-4777-8777-777777777777',
  learners: { first: 1000, last: 1999 },
  adminId: 900,
} as const;

export const other = {
  customerUuid: '44444444-4444-4444-8444-444444444444',
  catalogUuid: '55555555-5555-4555-8555-555555555555',
  subsidyUuid: '66666666-6666-4666-8666-666666666666',
  learners: { first: 2000, last: 2099 },
  adminId: 901,
} as const;

const STARTING_BALANCE_CENTS = 100_000_000;
const GROUP = { first: 1000, last: 1010, pending: 3 };
const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const FAR_AHEAD = new Date('2099-12-31T23:59:59Z');

const course = (name: string, title: string, priceCents: number, more: Partial<CourseSeed> = {}): CourseSeed => ({
  courseKey: `edX+${name}`,
  courseRunKey: `course-v1:edX+${name}+2T2026`,
  title,
  priceCents,
  ...more,
});

/** The courses that every catalog holds, each with something to show. */
export const demoCourses: readonly CourseSeed[] = [
  course('DemoX', 'Demonstration Course', 14_900),
  course('CentsX', 'A Price With Cents', 1_999),
  course('FreeX', 'A Course for Free', 0, { enrollByDate: null }),
  course('PastX', 'Past Its Enrollment Deadline', 14_900, {
    startDate: '2000-10-01T00:00:00Z',
    enrollByDate: '2001-01-01T00:00:00Z',
  }),
  course('ExecX', 'Leading Change', 250_000, { productSource: '2u', institution: 'Demo Business School', weeks: 8 }),
  course('DataX', 'Data Analysis Essentials', 9_900, { subject: 'Data Analysis & Statistics' }),
  course('PythonX', 'Programming in Python', 14_900),
  course('StatsX', 'Statistics for Everyday Decisions', 19_900, { subject: 'Math', level: 'Intermediate' }),
  course('CloudX', 'Cloud Foundations', 29_900, { weeks: 10 }),
  course('WriteX', 'Writing at Work', 4_900, { subject: 'Communication', weeks: 2 }),
  course('EthicsX', 'Ethics of Technology', 7_500, { subject: 'Ethics', pacing: 'instructor_led' }),
  course('SpanishX', 'Español para principiantes', 4_999, { subject: 'Language', language: 'Español' }),
];

interface CustomerSeed {
  uuid: string;
  name: string;
  slug: string;
  contactEmail: string | null;
  country: string;
  emailDomain: string;
  catalogUuid: string;
  learners: { first: number; last: number };
  adminId: number;
}

function seedCustomer(lms: LmsStore, seed: CustomerSeed): void {
  const { uuid, name, slug, country, contactEmail, emailDomain } = seed;
  const catalogUuids = [seed.catalogUuid];
  const customer = addCustomer(lms, {
    uuid,
    name,
    slug,
    country,
    contactEmail,
    emailDomain,
    catalogUuids,
    modified: LONG_AGO,
  });
  const admin = putAccount(lms, {
    lmsUserId: seed.adminId,
    username: `admin-${seed.adminId}`,
    email: `admin@${emailDomain}`,
    firstName: 'Admin',
    lastName: name,
  });
  putLink(lms, customer, admin, 'enterprise_admin', LONG_AGO);
  for (let id = seed.learners.first; id <= seed.learners.last; id += 1) {
    putLink(lms, customer, putAccount(lms, learnerAccount(id, emailDomain)), 'enterprise_learner', LONG_AGO);
  }
}

/** Names and address of a learner nobody described further. */
export const learnerAccount = (lmsUserId: number, emailDomain: string) => ({
  lmsUserId,
  username: `learner-${lmsUserId}`,
  email: `learner-${lmsUserId}@${emailDomain}`,
  firstName: 'Learner',
  lastName: String(lmsUserId),
});

function seedGroup(lms: LmsStore): void {
  const group = {
    uuid: demo.groupUuid,
    name: 'Demo Group',
    customerUuid: demo.customerUuid,
    members: new Map(),
    removed: new Map(),
  };
  lms.groups.set(group.uuid, group);
  const links = lms.customers.get(demo.customerUuid)?.links;
  for (let id = GROUP.first; id <= GROUP.last; id += 1) {
    const link = links?.get(id);
    if (link) joinGroup(group, link, LONG_AGO);
  }
  for (let n = 1; n <= GROUP.pending; n += 1) inviteToGroup(lms, group, `pending-${n}@demo.example`, LONG_AGO);
}

export function seedLms(): LmsStore {
  const lms = emptyLms();
  seedCustomer(lms, {
    uuid: demo.customerUuid,
    name: 'Demo Company',
    slug: 'demo-company',
    contactEmail: 'learning@demo.example',
    country: 'US',
    emailDomain: 'demo.example',
    catalogUuid: demo.catalogUuid,
    learners: demo.learners,
    adminId: demo.adminId,
  });
  seedCustomer(lms, {
    uuid: other.customerUuid,
    name: 'Other Company',
    slug: 'other-company',
    contactEmail: null,
    country: 'US',
    emailDomain: 'other.example',
    catalogUuid: other.catalogUuid,
    learners: other.learners,
    adminId: other.adminId,
  });
  seedGroup(lms);
  return lms;
}

export function seedContent(more: readonly CourseSeed[]): ContentStore {
  const content = emptyContent();
  const keys = [...demoCourses, ...more].map((seed) => putCourse(content, seed).key);
  const catalogs = [
    { uuid: demo.catalogUuid, title: 'Demo Catalog', customerUuid: demo.customerUuid },
    { uuid: other.catalogUuid, title: 'Other Catalog', customerUuid: other.customerUuid },
  ];
  for (const catalog of catalogs) addCatalog(content, { ...catalog, courseKeys: new Set(keys) });
  return content;
}

export function seedSubsidies(): SubsidyStore {
  const store = emptySubsidies();
  const subsidies = [
    { uuid: demo.subsidyUuid, title: 'Demo Learner Credit', customerUuid: demo.customerUuid, referenceId: '00kDEMO' },
    {
      uuid: other.subsidyUuid,
      title: 'Other Learner Credit',
      customerUuid: other.customerUuid,
      referenceId: '00kOTHER',
    },
  ];
  for (const subsidy of subsidies) {
    const terms = {
      startingBalance: STARTING_BALANCE_CENTS,
      internalOnly: false,
      revenueCategory: 'bulk-enrollment-prepay',
      activeDatetime: LONG_AGO,
      expirationDatetime: FAR_AHEAD,
      unit: 'usd_cents',
    };
    addSubsidy(store, { ...subsidy, ...terms }, LONG_AGO);
  }
  return store;
}
