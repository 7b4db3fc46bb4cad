import { globSync } from 'node:fs';
import type { Database } from '@enterprise-access/db';
import { watchJobRuns } from './jobs/index.ts';
import type { Actor } from './kernel/actor.ts';
import type { Composition } from './kernel/compose.ts';
import { foldEmail } from './kernel/email.ts';
import type { Catalog, Content } from './kernel/ports/catalog.ts';
import type { Customer, Invitation, Learner, Lms } from './kernel/ports/lms.ts';
import type { Recipient } from './kernel/ports/mail.ts';
import { UpstreamRefusal } from './kernel/ports/upstream.ts';
import type { Runtime } from './kernel/runtime.ts';
import type { SliceTesting } from './kernel/testing.ts';
import { embeddedLedger } from './ledger/embedded.ts';
import { recordedMail } from './mail/index.ts';
import { campaigns, service } from './service.ts';
import type { Braze } from './upstreams/braze.ts';

export { addedOnly, lockOrder, newRowsAreOwn } from './kernel/lock-order.ts';

/** A staff actor with all permissions for all customers. */
export const operator: Actor = {
  userId: 1,
  username: 'operator',
  lmsUserId: null,
  isStaff: true,
  isSuperuser: true,
  grants: [],
};

/** A sent mail. Its campaign is the name of the environment variable. */
export interface SentMail extends Recipient {
  readonly campaign: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

/** In-memory fake of the LMS, catalog and mail service, for tests above the upstream clients. */
export interface World {
  readonly customers: Map<string, Customer>;
  /** By customer and LMS user id, `customer:42`. */
  readonly learners: Map<string, Learner>;
  /** By content key. */
  readonly contents: Map<string, Content>;
  /** Customer by catalog. */
  readonly catalogs: Map<string, string>;
  readonly groups: Map<string, { readonly customerUuid: string; readonly invitations: Map<string, Invitation> }>;
  readonly enrollments: Map<string, string>;
  /** Transactions that were enrolled with `force`. */
  readonly forcedEnrollments: Set<string>;
  now: Date;
  /** Called before each enrollment; can throw or delay to simulate failures of the LMS. */
  enrollmentFault: (() => Promise<void>) | null;
  /** Cancelled fulfillments. */
  readonly cancelled: Set<string>;
  /** Called before each cancellation, like `enrollmentFault`. */
  cancellationFault: (() => Promise<void>) | null;
  readonly mails: SentMail[];
  /** Called before each mail with its recipients, like `enrollmentFault`. */
  mailFault: ((recipients: readonly Recipient[]) => Promise<void>) | null;
}

export const contentWith = (change: Partial<Content>): Content => ({
  contentKey: 'edX+DemoX',
  courseRunKey: 'course-v1:edX+DemoX+2T2026',
  title: 'Demo',
  uuid: null,
  courseRunUuid: null,
  courseRunStartDate: null,
  source: 'edX',
  mode: 'verified',
  priceCents: 14_900,
  enrollByDate: null,
  variantId: null,
  details: {
    courseType: null,
    partners: [],
    imageUrl: null,
    startDate: null,
    endDate: null,
    priceUsd: null,
    pacing: null,
    weeksToComplete: null,
  },
  ...change,
});

export const emptyWorld = (): World => ({
  customers: new Map(),
  learners: new Map(),
  contents: new Map(),
  catalogs: new Map(),
  groups: new Map(),
  enrollments: new Map(),
  forcedEnrollments: new Set(),
  now: new Date('2026-06-01T12:00:00.000Z'),
  enrollmentFault: null,
  cancelled: new Set(),
  cancellationFault: null,
  mails: [],
  mailFault: null,
});

const lmsOf = (world: World): Lms => ({
  customer: async (uuid) => world.customers.get(uuid) ?? null,
  learner: async (customerUuid, lmsUserId) => world.learners.get(`${customerUuid}:${lmsUserId}`) ?? null,
  hasActiveLink: async (customerUuid, lmsUserId) => world.learners.has(`${customerUuid}:${lmsUserId}`),
  addPendingLearner: async () => undefined,
  async unlinkLearners(customerUuid, emails) {
    for (const [key, { email }] of world.learners)
      if (key.startsWith(`${customerUuid}:`) && emails.includes(email)) world.learners.delete(key);
  },
  accountOf: async (email) =>
    [...world.learners.values()].find((learner) => foldEmail(learner.email) === foldEmail(email))?.lmsUserId ?? null,
  customerOfGroup: async (uuid) => world.groups.get(uuid)?.customerUuid ?? null,
  invitations: async (uuid) => world.groups.get(uuid)?.invitations ?? null,
  async markUnreachable(uuid, email) {
    const invitations = world.groups.get(uuid)?.invitations ?? new Map();
    for (const [membership, invitation] of invitations) if (invitation.email === email) invitations.delete(membership);
  },
  groupMembers: async () => ({ members: [], count: 0, pages: 1 }),
  allGroupMembers: async () => [],
  async enroll(customerUuid, enrollment) {
    if (world.enrollmentFault) await world.enrollmentFault();
    if (!world.learners.has(`${customerUuid}:${enrollment.lmsUserId}`)) throw new UpstreamRefusal('lms', 409, {});
    const before = world.enrollments.get(enrollment.transactionUuid);
    if (enrollment.force) world.forcedEnrollments.add(enrollment.transactionUuid);
    const fulfillment = before ?? `fulfillment-${enrollment.transactionUuid}`;
    world.enrollments.set(enrollment.transactionUuid, fulfillment);
    return fulfillment;
  },
  async cancelFulfillment(fulfillment) {
    if (world.cancellationFault) await world.cancellationFault();
    world.cancelled.add(fulfillment);
    return [...world.enrollments.values()].includes(fulfillment);
  },
});

const catalogOf = (world: World): Catalog => ({
  contains: async (_catalog, contentKey) => world.contents.has(contentKey),
  content: async (_customer, contentKey) => world.contents.get(contentKey) ?? null,
  contentCount: async (catalog) => (world.catalogs.has(catalog) ? world.contents.size : null),
  customerOf: async (catalog) => world.catalogs.get(catalog) ?? null,
  async listPrice(contentKey) {
    const cents = world.contents.get(contentKey)?.priceCents;
    return cents === undefined ? null : { price: cents === null ? null : { usd: cents / 100, usdCents: cents } };
  },
});

const brazeOf = (world: World): Braze => ({
  introduce: async () => undefined,
  async trigger(campaign, properties, recipients) {
    if (world.mailFault) await world.mailFault(recipients);
    for (const recipient of recipients) world.mails.push({ ...recipient, campaign, properties, at: world.now });
    return 'dispatch';
  },
  async lastReceived(campaign, { email }) {
    return world.mails.findLast((mail) => mail.campaign === campaign && mail.email === email)?.at ?? null;
  },
});

/** Campaign ids for tests: the name of each variable. */
export const everyCampaign = Object.fromEntries(Object.keys(campaigns).map((name) => [name, name]));

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A runtime with a real database, and the world as LMS and catalog. */
export function testRuntime(
  db: Database,
  world: World,
  change: Partial<Runtime> = {},
  { ownersIn, settings }: Pick<Composition, 'ownersIn' | 'settings'> = service,
): Runtime {
  const lms = lmsOf(world);
  const clock = () => world.now;
  return {
    db,
    clock,
    log: silent,
    lms,
    catalog: catalogOf(world),
    ledger: embeddedLedger({ db, clock, lms }),
    mail: recordedMail({ db, clock, braze: brazeOf(world), campaignIds: everyCampaign }),
    settings: {
      publicUrl: 'http://access.test',
      lmsUrl: 'http://lms.test',
      learningUrl: 'http://learning.test',
      learnerPortalUrl: 'http://portal.test',
      subsidyUrl: 'http://access.test',
      ...settings.standard(),
      // A sample would make the number of statements a matter of luck.
      decisionSampleCanRedeem: 1,
    },
    jobRuns: watchJobRuns(db, silent),
    ownerOf: ownersIn(db),
    workflowOf: service.workflowOf,
    followAssignments: service.followAssignments,
    ...change,
  };
}

/** Test data of all slices. */
export const slicesTesting: readonly SliceTesting[] = await Promise.all(
  globSync('*/slice-testing.ts', { cwd: import.meta.dirname })
    .toSorted()
    .map(async (file) => (await import(/* @vite-ignore */ new URL(file, import.meta.url).href)).testing),
);

export { administration, everybody, operators, type SliceTesting } from './kernel/testing.ts';
