import { type Course, CourseIndex } from './courses.ts';
import { stableUuid } from './ids.ts';
import { createSubsidy, type Subsidy, type Transaction } from './ledger.ts';
import { COURSES, CUSTOMERS, DEMO_GROUP, SEED_TIME, type SeedCustomer } from './seed.ts';

export interface User {
  readonly id: number;
  readonly username: string;
  email: string;
}

/** A user's link to a customer. */
export interface Link {
  readonly id: number;
  readonly user: User;
  readonly customer: SeedCustomer;
  groups: ReadonlySet<string>;
  linked: boolean;
}

export interface Member {
  readonly uuid: string;
  /** Null while the invited person has no account. */
  readonly link: Link | null;
  readonly pendingId: number | null;
  readonly pendingEmail: string | null;
  status: 'accepted' | 'pending' | 'removed';
  changedAt: string;
}

export interface Group {
  readonly uuid: string;
  readonly name: string;
  readonly customerUuid: string;
  /** By learner id, or by address while pending. */
  readonly members: Map<number | string, Member>;
}

export interface Fulfilment {
  readonly uuid: string;
  readonly userId: number;
  readonly runKey: string;
  cancelled: boolean;
}

/** Everything the stand-in services know, indexed for the ways they are asked. */
export interface World {
  readonly customers: Map<string, SeedCustomer>;
  readonly customersByCatalog: Map<string, SeedCustomer>;
  readonly users: Map<number, User>;
  readonly usersByEmail: Map<string, User>;
  readonly usersByName: Map<string, User>;
  readonly linksByUser: Map<number, Map<string, Link>>;
  readonly linksByCustomer: Map<string, Map<number, Link>>;
  readonly groups: Map<string, Group>;
  readonly courses: CourseIndex;
  readonly fulfilments: Map<string, Fulfilment>;
  /** By the transaction or licence that pays. */
  readonly fulfilmentsByPayment: Map<string, Fulfilment>;
  readonly enrolmentCounts: Map<number, number>;
  readonly subsidies: Map<string, Subsidy>;
  readonly transactions: Map<string, Transaction>;
}

export interface LearnerChange {
  readonly lmsUserId: number;
  readonly email?: string | undefined;
  readonly customerUuid: string;
  readonly groups?: readonly string[] | undefined;
  readonly linked?: boolean | undefined;
}

/** The seeded world, with the courses of a catalog file; the demonstration courses win over rows of the same key. */
export function createWorld(fileCourses: readonly Course[]): World {
  const world: World = {
    customers: new Map(),
    customersByCatalog: new Map(),
    users: new Map(),
    usersByEmail: new Map(),
    usersByName: new Map(),
    linksByUser: new Map(),
    linksByCustomer: new Map(),
    groups: new Map(),
    courses: new CourseIndex(),
    fulfilments: new Map(),
    fulfilmentsByPayment: new Map(),
    enrolmentCounts: new Map(),
    subsidies: new Map(),
    transactions: new Map(),
  };
  for (const item of COURSES) world.courses.put(item);
  for (const item of fileCourses) {
    if (!world.courses.find(item.key) && !world.courses.find(item.runKey)) world.courses.put(item);
  }
  for (const customer of CUSTOMERS) addCustomer(world, customer);
  addDemoGroup(world);
  return world;
}

function addCustomer(world: World, customer: SeedCustomer): void {
  world.customers.set(customer.uuid, customer);
  world.customersByCatalog.set(customer.catalogUuid, customer);
  world.linksByCustomer.set(customer.uuid, new Map());
  const subsidy = createSubsidy(customer);
  world.subsidies.set(subsidy.uuid, subsidy);
  for (const transaction of subsidy.transactions) world.transactions.set(transaction.uuid, transaction);
  putUser(world, customer.admin.lms_user_id, customer.admin.email);
  for (let id = customer.firstLearner; id <= customer.lastLearner; id += 1) {
    putLearner(world, { lmsUserId: id, customerUuid: customer.uuid });
  }
}

function addDemoGroup(world: World): void {
  const { uuid, name, customerUuid } = DEMO_GROUP;
  const group: Group = { uuid, name, customerUuid, members: new Map() };
  world.groups.set(uuid, group);
  for (let id = DEMO_GROUP.firstLearner; id <= DEMO_GROUP.lastLearner; id += 1) {
    putLearner(world, { lmsUserId: id, customerUuid, groups: [uuid] }, SEED_TIME);
  }
  for (const [index, email] of DEMO_GROUP.pendingEmails.entries()) {
    group.members.set(email, {
      uuid: stableUuid(`${uuid}:${email}`),
      link: null,
      pendingId: index + 1,
      pendingEmail: email,
      status: 'pending',
      changedAt: SEED_TIME,
    });
  }
}

function putUser(world: World, id: number, email: string): User {
  const user = world.users.get(id) ?? { id, username: `user-${id}`, email };
  if (world.usersByEmail.get(user.email.toLowerCase()) === user) world.usersByEmail.delete(user.email.toLowerCase());
  user.email = email;
  world.users.set(id, user);
  world.usersByEmail.set(email.toLowerCase(), user);
  world.usersByName.set(user.username, user);
  return user;
}

/** Adds a learner or changes what is given of him; undefined when there is no such customer. */
export function putLearner(world: World, change: LearnerChange, now = new Date().toISOString()): Link | undefined {
  const customer = world.customers.get(change.customerUuid);
  if (!customer) return undefined;
  const id = change.lmsUserId;
  const usual = `learner-${id}@${customer.emailDomain}`;
  const user = putUser(world, id, change.email ?? world.users.get(id)?.email ?? usual);
  const links = world.linksByUser.get(id) ?? new Map<string, Link>();
  world.linksByUser.set(id, links);
  // Ids of links need only differ: two customers of one user must not share one.
  const linkId = id * 10 + [...world.customers.keys()].indexOf(customer.uuid);
  const link = links.get(customer.uuid) ?? { id: linkId, user, customer, groups: new Set<string>(), linked: true };
  link.linked = change.linked ?? link.linked;
  links.set(customer.uuid, link);
  world.linksByCustomer.get(customer.uuid)?.set(id, link);
  // Leaving a customer ends the memberships there.
  const groups = link.linked ? change.groups : [];
  if (groups) joinGroups(world, link, new Set(groups), now);
  return link;
}

function joinGroups(world: World, link: Link, wanted: ReadonlySet<string>, now: string): void {
  for (const uuid of link.groups) {
    const member = world.groups.get(uuid)?.members.get(link.user.id);
    if (!member || wanted.has(uuid)) continue;
    member.status = 'removed';
    member.changedAt = now;
  }
  for (const uuid of wanted) {
    const { members } = groupOf(world, uuid, link.customer.uuid);
    const member = members.get(link.user.id);
    if (member?.status === 'accepted') continue;
    members.set(link.user.id, {
      uuid: member?.uuid ?? stableUuid(`${uuid}:${link.user.id}`),
      link,
      pendingId: null,
      pendingEmail: null,
      status: 'accepted',
      changedAt: now,
    });
  }
  link.groups = wanted;
}

/** Tests may name a group that is not there yet. */
function groupOf(world: World, uuid: string, customerUuid: string): Group {
  const known = world.groups.get(uuid);
  if (known) return known;
  const group: Group = { uuid, name: `Group ${uuid.slice(0, 8)}`, customerUuid, members: new Map() };
  world.groups.set(uuid, group);
  return group;
}
