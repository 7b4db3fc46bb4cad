import { randomUUID } from 'node:crypto';

export interface Account {
  lmsUserId: number;
  username: string;
  email: string;
  firstName: string;
  lastName: string;
}

export type Role = 'enterprise_learner' | 'enterprise_admin';

/** An account's place in a customer: the LMS calls it an enterprise customer user. */
export interface Link {
  id: number;
  account: Account;
  customerUuid: string;
  role: Role;
  created: Date;
  groups: Set<string>;
}

export interface Customer {
  uuid: string;
  name: string;
  slug: string;
  /** ISO 3166-1 alpha-2. */
  country: string;
  contactEmail: string | null;
  emailDomain: string;
  catalogUuids: string[];
  modified: Date;
  links: Map<number, Link>;
  /** A subset of `links`, kept because clients ask for the admins of customers with many learners. */
  admins: Map<number, Link>;
  /** Addresses invited before they have an account. */
  pending: Set<string>;
}

export type MemberStatus = 'accepted' | 'pending' | 'removed' | 'email_error';

export interface Member {
  membershipUuid: string;
  email: string;
  account: Account | null;
  linkId: number | null;
  pendingId: number | null;
  status: MemberStatus;
  /** When the status was reached. */
  changed: Date;
}

/** Members by lower-case address. Removed ones live apart, so the usual list needs no filter. */
export interface Group {
  uuid: string;
  name: string;
  customerUuid: string;
  members: Map<string, Member>;
  removed: Map<string, Member>;
}

export interface Enrolment {
  fulfilmentUuid: string;
  lmsUserId: number;
  runKey: string;
  cancelled: boolean;
}

export interface LmsStore {
  customers: Map<string, Customer>;
  customersBySlug: Map<string, Customer>;
  accounts: Map<number, Account>;
  accountsByEmail: Map<string, Account>;
  accountsByUsername: Map<string, Account>;
  /** Per account, its links by customer. */
  linksByAccount: Map<number, Map<string, Link>>;
  groups: Map<string, Group>;
  /** By what the caller enrols for: a transaction, or a licence with learner and run. */
  enrolmentsBySource: Map<string, Enrolment>;
  enrolmentsByFulfilment: Map<string, Enrolment>;
  enrolmentCounts: Map<number, number>;
  lastId: number;
}

export const emptyLms = (): LmsStore => ({
  customers: new Map(),
  customersBySlug: new Map(),
  accounts: new Map(),
  accountsByEmail: new Map(),
  accountsByUsername: new Map(),
  linksByAccount: new Map(),
  groups: new Map(),
  enrolmentsBySource: new Map(),
  enrolmentsByFulfilment: new Map(),
  enrolmentCounts: new Map(),
  lastId: 0,
});

const nextId = (lms: LmsStore) => {
  lms.lastId += 1;
  return lms.lastId;
};

/** Addresses and user names are compared as the LMS database does: without case. */
/** Like the platform's own comparison of addresses: ASCII letters only. */
export const folded = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

export function addCustomer(lms: LmsStore, seed: Omit<Customer, 'links' | 'admins' | 'pending'>): Customer {
  const customer: Customer = { ...seed, links: new Map(), admins: new Map(), pending: new Set() };
  lms.customers.set(customer.uuid, customer);
  lms.customersBySlug.set(customer.slug, customer);
  return customer;
}

/** Creates an account or changes its names and address, keeping every index true. */
export function putAccount(lms: LmsStore, wanted: Account): Account {
  const account = lms.accounts.get(wanted.lmsUserId) ?? wanted;
  lms.accountsByEmail.delete(folded(account.email));
  lms.accountsByUsername.delete(folded(account.username));
  Object.assign(account, wanted);
  lms.accounts.set(account.lmsUserId, account);
  lms.accountsByEmail.set(folded(account.email), account);
  lms.accountsByUsername.set(folded(account.username), account);
  return account;
}

export function putLink(lms: LmsStore, customer: Customer, account: Account, role: Role, created: Date): Link {
  const known = customer.links.get(account.lmsUserId);
  const link = known ?? { id: nextId(lms), account, customerUuid: customer.uuid, role, created, groups: new Set() };
  link.role = role;
  customer.links.set(account.lmsUserId, link);
  if (role === 'enterprise_admin') customer.admins.set(account.lmsUserId, link);
  else customer.admins.delete(account.lmsUserId);
  const links = lms.linksByAccount.get(account.lmsUserId) ?? new Map<string, Link>();
  lms.linksByAccount.set(account.lmsUserId, links.set(customer.uuid, link));
  return link;
}

/** Takes the learner out of the customer and of its groups. The account stays. */
export function removeLink(lms: LmsStore, link: Link, at: Date): void {
  setGroups(lms, link, [], at);
  const customer = lms.customers.get(link.customerUuid);
  customer?.links.delete(link.account.lmsUserId);
  customer?.admins.delete(link.account.lmsUserId);
  lms.linksByAccount.get(link.account.lmsUserId)?.delete(link.customerUuid);
}

export function removeAccount(lms: LmsStore, account: Account, at: Date): void {
  for (const link of [...(lms.linksByAccount.get(account.lmsUserId)?.values() ?? [])]) removeLink(lms, link, at);
  lms.linksByAccount.delete(account.lmsUserId);
  lms.accounts.delete(account.lmsUserId);
  lms.accountsByEmail.delete(folded(account.email));
  lms.accountsByUsername.delete(folded(account.username));
}

/** Makes the linked learner an accepted member, and lets the learner's record say so. */
export function joinGroup(group: Group, link: Link, at: Date): void {
  link.groups.add(group.uuid);
  group.removed.delete(folded(link.account.email));
  group.members.set(folded(link.account.email), {
    membershipUuid: randomUUID(),
    email: link.account.email,
    account: link.account,
    linkId: link.id,
    pendingId: null,
    status: 'accepted',
    changed: at,
  });
}

export function inviteToGroup(lms: LmsStore, group: Group, email: string, at: Date): void {
  group.removed.delete(folded(email));
  group.members.set(folded(email), {
    membershipUuid: randomUUID(),
    email,
    account: null,
    linkId: null,
    pendingId: nextId(lms),
    status: 'pending',
    changed: at,
  });
}

export function leaveGroup(group: Group, email: string, at: Date): void {
  const member = group.members.get(folded(email));
  if (!member) return;
  group.members.delete(folded(email));
  group.removed.set(folded(email), { ...member, status: 'removed', changed: at });
}

/** Gives the learner exactly these groups; a uuid without a group is only carried in the learner's record. */
export function setGroups(lms: LmsStore, link: Link, uuids: readonly string[], at: Date): void {
  const wanted = new Set(uuids);
  for (const uuid of link.groups.difference(wanted)) {
    const group = lms.groups.get(uuid);
    if (group) leaveGroup(group, link.account.email, at);
  }
  for (const uuid of wanted.difference(link.groups)) {
    const group = lms.groups.get(uuid);
    if (group) joinGroup(group, link, at);
  }
  link.groups = wanted;
}

export function removeGroup(lms: LmsStore, uuid: string): void {
  const group = lms.groups.get(uuid);
  if (!group) return;
  lms.groups.delete(uuid);
  const customer = lms.customers.get(group.customerUuid);
  for (const { account } of group.members.values()) {
    if (account) customer?.links.get(account.lmsUserId)?.groups.delete(uuid);
  }
}
