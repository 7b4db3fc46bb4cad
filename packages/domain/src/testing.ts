import { globSync } from 'node:fs';
import type { Database } from '@enterprise-access/db';
import { type SandboxState, sandboxWithState, WEBHOOK_SECRET } from '@enterprise-access/sandbox';
import { watchJobRuns } from './jobs/index.ts';
import type { Actor } from './kernel/actor.ts';
import { processCache } from './kernel/cache/cache.ts';
import type { Composition } from './kernel/compose.ts';
import { foldEmail } from './kernel/email.ts';
import { newUuid } from './kernel/ids.ts';
import type { Academy, Catalog, Content } from './kernel/ports/catalog.ts';
import type { CustomerCatalog, Customers, FoundCustomer } from './kernel/ports/customers.ts';
import type { Files } from './kernel/ports/files.ts';
import type { Customer, Invitation, Learner, LicensedEnrollment, Lms } from './kernel/ports/lms.ts';
import type { Recipient } from './kernel/ports/mail.ts';
import type { Stripe } from './kernel/ports/stripe.ts';
import type { Subscriptions } from './kernel/ports/subscriptions.ts';
import { UpstreamRefusal } from './kernel/ports/upstream.ts';
import type { Runtime } from './kernel/runtime.ts';
import type { SliceTesting } from './kernel/testing.ts';
import { embeddedLedger } from './ledger/embedded.ts';
import { localPlans } from './licenses/index.ts';
import { mailDelivery } from './mail/index.ts';
import { campaigns, service } from './service.ts';
import type { Braze } from './upstreams/braze.ts';
import { httpStripe } from './upstreams/stripe.ts';

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
  /** Calls to enroll with licences. */
  readonly licensedCalls: (readonly LicensedEnrollment[])[];
  /** Called before licensed enrollments, like `enrollmentFault`. */
  licensedFault: ((items: readonly LicensedEnrollment[]) => Promise<void>) | null;
  /** Stored files by name. */
  readonly files: Map<string, string>;
  now: Date;
  /** Called before each enrollment; can throw or delay to simulate failures of the LMS. */
  enrollmentFault: (() => Promise<void>) | null;
  /** Cancelled fulfillments. */
  readonly cancelled: Set<string>;
  /** Called before each cancellation, like `enrollmentFault`. */
  cancellationFault: (() => Promise<void>) | null;
  /** Licences whose enrollments were ended, by call, with the time after which changed ones are spared. */
  readonly ended: { readonly licenseUuids: readonly string[]; readonly unlessModifiedAfter: Date | null }[];
  /** Addresses that were unlinked, by call. */
  readonly unlinked: { readonly customerUuid: string; readonly emails: readonly string[] }[];
  /** Called before enrollments are ended or learners are unlinked, like `enrollmentFault`. */
  licenseFault: ((about: readonly string[]) => Promise<void>) | null;
  /** Query by catalog; catalogs with one query have the same content. */
  readonly catalogQueries: Map<string, string>;
  /** Addresses with a pending link to their customer. */
  readonly invited: string[];
  /** Called before addresses are linked, like `enrollmentFault`. */
  invitationFault: (() => Promise<void>) | null;
  /** Learners whose enrollments with licences were ended: `customer:42`. */
  readonly revokedEnrollments: string[];
  readonly mails: SentMail[];
  /** Called before each mail with its recipients, like `enrollmentFault`. */
  mailFault: ((recipients: readonly Recipient[]) => Promise<void>) | null;
  readonly academies: Map<string, Academy>;
  /** Called before each read of an academy, like `enrollmentFault`. */
  academyFault: (() => Promise<void>) | null;
  /** What the licence service was told, in its order: `plan <uuid> on`, `renewal 7`. */
  readonly licenses: string[];
  /** Called before each call of the licence service, like `enrollmentFault`. */
  subscriptionFault: (() => Promise<void>) | null;
  /** A stand-in for Stripe, made when it is used first; its clock is `now`. */
  readonly stripe: StripeWorld;
}

/** Stripe with its state, and the network to it. */
export interface StripeWorld {
  readonly state: SandboxState;
  readonly fetch: typeof fetch;
}

function stripeWorld(now: () => Date): StripeWorld {
  const { app, state } = sandboxWithState({ now });
  return {
    state,
    async fetch(input, init) {
      const { pathname, search } = new URL(String(input));
      const reply = await app.inject({
        method: (init?.method ?? 'GET') as 'GET',
        url: `${pathname}${search}`,
        headers: Object.fromEntries(new Headers(init?.headers)),
        ...(typeof init?.body === 'string' && init.body !== '' ? { payload: init.body } : {}),
      });
      return new Response(reply.body, { status: reply.statusCode, headers: { 'content-type': 'application/json' } });
    },
  };
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

export function emptyWorld(): World {
  let stripe: StripeWorld | undefined;
  const world: World = {
    customers: new Map(),
    learners: new Map(),
    contents: new Map(),
    catalogs: new Map(),
    groups: new Map(),
    enrollments: new Map(),
    forcedEnrollments: new Set(),
    licensedCalls: [],
    licensedFault: null,
    files: new Map(),
    now: new Date('2026-06-01T12:00:00.000Z'),
    enrollmentFault: null,
    cancelled: new Set(),
    cancellationFault: null,
    ended: [],
    unlinked: [],
    licenseFault: null,
    catalogQueries: new Map(),
    invited: [],
    invitationFault: null,
    revokedEnrollments: [],
    mails: [],
    mailFault: null,
    academies: new Map(),
    academyFault: null,
    licenses: [],
    subscriptionFault: null,
    get stripe() {
      stripe ??= stripeWorld(() => world.now);
      return stripe;
    },
  };
  return world;
}

const lmsOf = (world: World): Lms => ({
  customer: async (uuid) => world.customers.get(uuid) ?? null,
  customerNamed: async (by) =>
    [...world.customers.values()].find((each) => ('slug' in by ? each.slug === by.slug : each.name === by.name)) ??
    null,
  learner: async (customerUuid, lmsUserId) => world.learners.get(`${customerUuid}:${lmsUserId}`) ?? null,
  hasActiveLink: async (customerUuid, lmsUserId) => world.learners.has(`${customerUuid}:${lmsUserId}`),
  async addPendingLearner(_customerUuid, email) {
    world.invited.push(email);
  },
  async addPendingLearners(_customerUuid, emails) {
    if (world.invitationFault) await world.invitationFault();
    world.invited.push(...emails);
  },
  async revokeLicensedEnrollments(customerUuid, lmsUserId) {
    world.revokedEnrollments.push(`${customerUuid}:${lmsUserId}`);
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
  async enrollWithLicenses(_customerUuid, items) {
    world.licensedCalls.push(items);
    if (world.licensedFault) await world.licensedFault(items);
    const accounts = new Set([...world.learners.values()].map(({ email }) => foldEmail(email)));
    return items.map(({ email }) => {
      if (email.startsWith('fail@')) return 'failed';
      if (email.startsWith('invalid@')) return 'invalid_address';
      return accounts.has(foldEmail(email)) ? 'success' : 'pending';
    });
  },
  async cancelFulfillment(fulfillment) {
    if (world.cancellationFault) await world.cancellationFault();
    world.cancelled.add(fulfillment);
    return [...world.enrollments.values()].includes(fulfillment);
  },
  async endLicensedEnrollments(licenseUuids, unlessModifiedAfter) {
    if (world.licenseFault) await world.licenseFault(licenseUuids);
    world.ended.push({ licenseUuids, unlessModifiedAfter });
  },
  async unlinkLearners(customerUuid, emails) {
    if (world.licenseFault) await world.licenseFault(emails);
    world.unlinked.push({ customerUuid, emails });
  },
  administrators: async (customerUuid) => world.customers.get(customerUuid)?.admins ?? [],
  async customerOfSlug(slug) {
    const found = [...world.customers.values()].find((customer) => customer.slug === slug);
    const catalogs = [...world.catalogs].filter(([, customer]) => customer === found?.uuid);
    return found ? { ...found, catalogUuids: catalogs.map(([uuid]) => uuid) } : null;
  },
});

const catalogOf = (world: World): Catalog => ({
  contains: async (_catalog, contentKey) => world.contents.has(contentKey),
  content: async (_customer, contentKey) => world.contents.get(contentKey) ?? null,
  contentCount: async (catalog) => (world.catalogs.has(catalog) ? world.contents.size : null),
  customerOf: async (catalog) => world.catalogs.get(catalog) ?? null,
  async academy(uuid) {
    if (world.academyFault) await world.academyFault();
    return world.academies.get(uuid) ?? null;
  },
  academies: async () => [...world.academies.values()].map((academy) => ({ ...academy })),
  catalogQueryOf: async () => 41,
  distinctQueries: async (catalogs) => Map.groupBy(catalogs, (catalog) => world.catalogQueries.get(catalog) ?? catalog),
  async listPrice(contentKey) {
    const cents = world.contents.get(contentKey)?.priceCents;
    return cents === undefined ? null : { price: cents === null ? null : { usd: cents / 100, usdCents: cents } };
  },
});

/** Customers that provisioning made, in memory. */
function customersOf(world: World): Customers {
  const made = new Map<string, FoundCustomer>();
  const administrators = new Map<string, string[]>();
  const invited = new Map<string, string[]>();
  const catalogs: CustomerCatalog[] = [];
  const accounts = () => new Set([...world.learners.values()].map(({ email }) => foldEmail(email)));
  const add = (to: Map<string, string[]>, uuid: string, email: string) =>
    to.set(uuid, [...(to.get(uuid) ?? []), email]);
  return {
    bySlug: async (slug) => made.get(slug) ?? null,
    async create(customer) {
      const found = { ...customer, uuid: newUuid() };
      made.set(customer.slug, found);
      return found;
    },
    administrators: async (uuid) => administrators.get(uuid) ?? [],
    invitedAdministrators: async (uuid) => invited.get(uuid) ?? [],
    async addAdministrator(uuid, email) {
      if (!accounts().has(foldEmail(email))) return 'noAccount';
      add(administrators, uuid, email);
      return 'added';
    },
    async inviteAdministrator(uuid, email) {
      add(invited, uuid, email);
    },
    catalog: async (uuid, queryId) =>
      catalogs.find((each) => each.enterpriseCustomerUuid === uuid && each.catalogQueryId === queryId) ?? null,
    async createCatalog(catalog) {
      const found = { ...catalog, uuid: newUuid() };
      catalogs.push(found);
      return found;
    },
    associateAcademy: async () => undefined,
  };
}

const brazeOf = (world: World): Braze => ({
  introduce: async () => undefined,
  async trigger(campaign, properties, recipients) {
    if (world.mailFault) await world.mailFault(recipients);
    for (const recipient of recipients)
      world.mails.push({
        ...recipient,
        campaign,
        properties: { ...properties, ...recipient.properties },
        at: world.now,
      });
    return 'dispatch';
  },
  async lastReceived(campaign, { email }) {
    return world.mails.findLast((mail) => mail.campaign === campaign && mail.email === email)?.at ?? null;
  },
});

const subscriptionsOf = (world: World): Subscriptions => {
  const told = async (what: string) => {
    if (world.subscriptionFault) await world.subscriptionFault();
    world.licenses.push(what);
    return 'done' as const;
  };
  return {
    setPlanActive: (plan, isActive) => told(`plan ${plan} ${isActive ? 'on' : 'off'}`),
    processRenewal: (id) => told(`renewal ${id}`),
  };
};

const stripeOf = (world: World): Stripe =>
  httpStripe({
    apiKey: 'sk_test_world',
    baseUrl: 'http://stripe.test',
    timeoutMs: 5_000,
    cache: processCache(),
    fetch: (input, init) => world.stripe.fetch(input, init),
  });
const filesOf = (world: World): Files => ({
  async write(name, content) {
    let text = '';
    for await (const part of content) text += part;
    world.files.set(name, text);
  },
  linkTo: async (name, seconds) => `http://files.test/${name}?seconds=${seconds}`,
  async remove(name) {
    world.files.delete(name);
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
  const catalog = catalogOf(world);
  const ofTests = {
    publicUrl: 'http://access.test',
    lmsUrl: 'http://lms.test',
    learningUrl: 'http://learning.test',
    learnerPortalUrl: 'http://portal.test',
    subsidyUrl: 'http://access.test',
    ...settings.standard(),
    // A sample would make the number of statements a matter of luck.
    decisionSampleCanRedeem: 1,
    stripeWebhookSecrets: [WEBHOOK_SECRET],
    adminPortalUrl: 'http://admin.test',
  };
  return {
    db,
    clock,
    log: silent,
    lms,
    catalog,
    ledger: embeddedLedger({ db, clock, lms }),
    stripe: stripeOf(world),
    subscriptions: subscriptionsOf(world),
    mail: mailDelivery({ db, clock, braze: brazeOf(world), campaignIds: everyCampaign }),
    files: filesOf(world),
    settings: ofTests,
    jobRuns: watchJobRuns(db, silent),
    ownerOf: ownersIn(db),
    workflowOf: service.workflowOf,
    customers: customersOf(world),
    plans: localPlans({ db, clock, log: silent, catalog, settings: ofTests }),
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
