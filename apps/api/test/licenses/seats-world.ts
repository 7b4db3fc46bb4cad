import { newUuid } from '@enterprise-access/domain';
import type { World } from '../support/examples.ts';
import { tokenFor } from '../support/harness.ts';
import { licenseRow, NOW, newAgreement, newPlan } from './lifecycle-plans.ts';

type Row = Readonly<Record<string, unknown>>;

export const emailOf = (learner: number): string => `learner-${learner}@demo.example`;
export const many = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));
export const free = (count: number): Row[] => many(count, () => licenseRow('unassigned'));
/** A licence of a learner who is known by number. */
export const held = (status: 'assigned' | 'activated' | 'revoked', learner: number, change: Row = {}): Row =>
  licenseRow(status, {
    user_email: emailOf(learner),
    lms_user_id: status === 'assigned' ? null : learner,
    ...change,
  });

/** A customer that the LMS knows, with an agreement and a plan, and callers for it. */
export async function customerWithPlan(
  world: World,
  licenses: readonly Row[],
  change: { plan?: Row; agreement?: Row } = {},
) {
  const agreement = await newAgreement(world, change.agreement);
  const plan = await newPlan(world, agreement, licenses, change.plan);
  world.world.customers.set(agreement.customer, {
    uuid: agreement.customer,
    name: 'Example',
    slug: 'example',
    contactEmail: 'contact@demo.example',
    senderAlias: null,
    defaultLanguage: 'es',
    isWithoutLearnerPortal: false,
    admins: [],
  });
  const token = (role: string, user: number, email = emailOf(user)) =>
    tokenFor(role, agreement.customer, user, { email });
  const admin = token('enterprise_admin', 900);
  const post = (path: string, body: unknown = {}, by = admin) =>
    world.call('POST', `/api/v1/subscriptions/${plan}/licenses/${path}/`, by, body);
  const rows = (status?: string) =>
    world.db('licenses').where({ subscription_plan_uuid: plan, ...(status === undefined ? {} : { status }) });
  return {
    agreement,
    plan,
    admin,
    learner: (user: number) => token('enterprise_learner', user),
    token,
    post,
    rows,
    planRow: () => world.db('subscription_plans').where({ uuid: plan }).first(),
    holderOf: (user: number) => world.db('licenses').where({ subscription_plan_uuid: plan, user_email: emailOf(user) }),
  };
}

/** Events about licences in the outbox, without the common part of their names. */
export const eventsOf = async ({ db }: Pick<World, 'db'>): Promise<string[]> => {
  const rows: { name: string }[] = await db('outbox').where({ kind: 'event' }).orderBy('position').select('name');
  return rows.map(({ name }) => name.split('license-lifecycle.').at(-1) ?? '');
};

export async function reset(world: World): Promise<void> {
  world.world.now = NOW;
  world.world.mails.length = 0;
  world.world.invited.length = 0;
  world.world.revokedEnrollments.length = 0;
  world.world.invitationFault = null;
  world.world.mailFault = null;
  await world.db('outbox').delete();
  await world.db('mail_deliveries').delete();
}

/** Statements of `work`. */
export async function statementsOf(world: World, work: () => Promise<unknown>): Promise<number> {
  let statements = 0;
  const count = () => {
    statements += 1;
  };
  world.db.on('query', count);
  try {
    await work();
  } finally {
    world.db.off('query', count);
  }
  return statements;
}

export { newUuid };
