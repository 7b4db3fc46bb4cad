import type { World } from '../support/examples.ts';
import type { assignedBudget } from '../support/fixtures.ts';
import { tokenFor } from '../support/harness.ts';

export type Budget = Awaited<ReturnType<typeof assignedBudget>>;

/** What tests of assignments ask and look up, over and over. */
export const assignmentRequests = (world: () => World) => {
  const admin = ({ customer }: Budget) => tokenFor('enterprise_admin', customer, 7);
  const adminPath = ({ configuration }: Budget) =>
    `/api/v1/assignment-configurations/${configuration}/admin/assignments/`;
  const list = (budget: Budget, query = '') => world().call('GET', `${adminPath(budget)}${query}`, admin(budget));
  const post = (budget: Budget, action: string, body?: object, query = '') =>
    world().call('POST', `${adminPath(budget)}${action}/${query}`, admin(budget), body);
  const rows = (budget: Budget) =>
    world().db('assignments').where({ assignment_configuration_uuid: budget.configuration }).orderBy('learner_email');
  const held = async (policy: string): Promise<number> =>
    (await world().db('policies').where({ uuid: policy }).first('allocated_cents')).allocated_cents;
  const typesOf = (assignment: { actions: { action_type: string }[] }) =>
    assignment.actions.map(({ action_type }) => action_type);
  const pass = (ms: number) => {
    world().world.now = new Date(world().world.now.getTime() + ms);
  };
  /** The first request of a learner whose token brings address and account together. */
  const login = (budget: Budget, id: number, email = `learner-${id}@test.example`) =>
    world().call(
      'GET',
      `/api/v1/assignment-configurations/${budget.configuration}/assignments/`,
      tokenFor('enterprise_learner', budget.customer, id, { email }),
    );
  return { admin, adminPath, list, post, rows, held, typesOf, pass, login };
};
