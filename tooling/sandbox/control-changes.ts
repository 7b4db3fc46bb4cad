import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { CourseSeed } from './content.ts';
import { putCourse, removeCourse } from './content.ts';
import { notFound, Refusal } from './http.ts';
import type { Customer } from './lms-store.ts';
import {
  inviteToGroup,
  joinGroup,
  putAccount,
  putLink,
  removeAccount,
  removeGroup,
  removeLink,
  setGroups,
} from './lms-store.ts';
import { learnerAccount } from './seed.ts';
import type { SandboxState } from './state.ts';

export const courseBody = z.strictObject({
  courseKey: z.string().min(1),
  courseRunKey: z.string().min(1).optional(),
  title: z.string().min(1).optional(),
  priceCents: z.int().min(0).optional(),
  startDate: z.iso.datetime().optional(),
  endDate: z.iso.datetime().optional(),
  enrollByDate: z.iso.datetime().nullable().optional(),
  productSource: z.enum(['edX', '2u']).optional(),
  restrictionType: z.string().nullable().optional(),
  catalogUuids: z.array(z.uuid()).optional(),
  remove: z.boolean().optional(),
});

export const learnerBody = z.strictObject({
  lmsUserId: z.int().positive(),
  customerUuid: z.uuid().optional(),
  email: z.string().optional(),
  username: z.string().optional(),
  firstName: z.string().optional(),
  lastName: z.string().optional(),
  role: z.enum(['enterprise_learner', 'enterprise_admin']).optional(),
  groups: z.array(z.uuid()).optional(),
  remove: z.boolean().optional(),
});

const memberBody = z.union([
  z.strictObject({ lmsUserId: z.int() }),
  z.strictObject({ email: z.string().min(3), invitedAt: z.coerce.date().optional() }),
]);
export const groupBody = z.strictObject({
  uuid: z.uuid().optional(),
  name: z.string().optional(),
  customerUuid: z.uuid().optional(),
  members: z.array(memberBody).optional(),
  remove: z.boolean().optional(),
});

/** Drops what was not said, so that a change keeps the rest. */
const said = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

export function changeCourse(state: SandboxState, change: z.output<typeof courseBody>): void {
  const { courseKey, catalogUuids, remove, ...fields } = change;
  const { content } = state;
  const catalogs = (catalogUuids ?? [...content.catalogs.keys()]).map((uuid) => {
    const catalog = content.catalogs.get(uuid);
    if (!catalog) throw notFound(`No catalog ${uuid}.`);
    return catalog;
  });
  if (remove) {
    for (const catalog of catalogs) catalog.courseKeys.delete(courseKey);
    if (!catalogUuids) removeCourse(content, courseKey);
    return;
  }
  const known = content.courses.get(courseKey);
  const run = known?.runs.find(({ key }) => fields.courseRunKey === undefined || key === fields.courseRunKey);
  const base: CourseSeed = {
    courseKey,
    courseRunKey: run?.key ?? `course-v1:${courseKey}+2T2026`,
    title: known?.title ?? courseKey,
    priceCents: 14_900,
    productSource: known?.productSource ?? 'edX',
  };
  putCourse(content, { ...base, ...run, ...said(fields) });
  // An override of a known course leaves its catalogs alone unless they are named.
  if (!known || catalogUuids) for (const catalog of catalogs) catalog.courseKeys.add(courseKey);
}

export function changeLearner(state: SandboxState, change: z.output<typeof learnerBody>): void {
  const { lms } = state;
  const { lmsUserId, customerUuid, role, groups, remove, ...names } = change;
  const known = lms.accounts.get(lmsUserId);
  const customer = customerUuid === undefined ? undefined : lms.customers.get(customerUuid);
  if (customerUuid !== undefined && !customer) throw notFound(`No customer ${customerUuid}.`);
  if (remove) {
    const link = customer?.links.get(lmsUserId);
    if (link) removeLink(lms, link, state.now());
    if (!customer && known) removeAccount(lms, known, state.now());
    return;
  }
  const fresh = learnerAccount(lmsUserId, customer?.emailDomain ?? 'sandbox.example');
  const account = putAccount(lms, { ...fresh, ...known, ...said(names) });
  if (!customer) return;
  const current = customer.links.get(lmsUserId)?.role ?? 'enterprise_learner';
  const link = putLink(lms, customer, account, role ?? current, state.now());
  if (groups) setGroups(lms, link, groups, state.now());
}

type GroupChange = z.output<typeof groupBody>;

function groupCustomer(state: SandboxState, change: GroupChange): Customer {
  const known = change.uuid === undefined ? undefined : state.lms.groups.get(change.uuid);
  const uuid = change.customerUuid ?? known?.customerUuid;
  const customer = uuid === undefined ? undefined : state.lms.customers.get(uuid);
  if (!customer) throw new Refusal(400, { customerUuid: ['A new group needs the uuid of a customer.'] });
  return customer;
}

/** A group given with members has exactly these afterwards. */
export function changeGroup(state: SandboxState, change: GroupChange): string {
  const { lms } = state;
  const uuid = change.uuid ?? randomUUID();
  if (change.remove) {
    removeGroup(lms, uuid);
    return uuid;
  }
  const customer = groupCustomer(state, change);
  const known = lms.groups.get(uuid);
  const name = change.name ?? known?.name ?? 'Group';
  if (known && !change.members) {
    known.name = name;
    return uuid;
  }
  const members = change.members ?? [];
  const links = members.flatMap((member) => {
    if (!('lmsUserId' in member)) return [];
    const link = customer.links.get(member.lmsUserId);
    if (!link) throw new Refusal(400, { members: [`Learner ${member.lmsUserId} is not linked to the customer.`] });
    return [link];
  });
  removeGroup(lms, uuid);
  const group = { uuid, name, customerUuid: customer.uuid, members: new Map(), removed: new Map() };
  lms.groups.set(uuid, group);
  for (const link of links) joinGroup(group, link, state.now());
  for (const member of members)
    if ('email' in member) inviteToGroup(lms, group, member.email, member.invitedAt ?? state.now());
  return uuid;
}
