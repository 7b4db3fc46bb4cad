import { isUniqueViolation, type Row, type Transaction, transaction } from '@enterprise-access/db';
import type { Actor, VisibleCustomers } from '../kernel/actor.ts';
import type { Input } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { orderTerms } from '../kernel/order.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../kernel/page.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { holdRequestable } from '../policies/index.ts';
import * as contract from './configuration-contract.ts';
import { customerConfigurations } from './tables.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;
type ConfigurationRow = Row<typeof customerConfigurations>;

const configurationNotFound = () =>
  notFound({}, { message: 'No SubsidyRequestCustomerConfiguration matches the given query.' });

const viewOf = (row: ConfigurationRow): contract.RequestConfiguration => ({
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  subsidyRequestsEnabled: row.subsidyRequestsEnabled,
  subsidyType: row.subsidyType,
  changedByLmsUserId: row.changedByLmsUserId,
});

export async function list(
  { db }: Deps,
  actor: Actor,
  visible: VisibleCustomers,
  input: Input<typeof contract.list>,
): Promise<Page<contract.RequestConfiguration>> {
  const rows = customerConfigurations.query(db);
  if (visible !== 'all' && !actor.isStaff) rows.whereIn('uuid', [...visible]);
  const { enterpriseCustomerUuid, subsidyRequestsEnabled, subsidyType } = input;
  if (enterpriseCustomerUuid !== undefined) rows.where('uuid', enterpriseCustomerUuid);
  if (subsidyRequestsEnabled !== undefined) rows.where('subsidy_requests_enabled', subsidyRequestsEnabled);
  if (subsidyType !== undefined) rows.where('subsidy_type', subsidyType);
  const terms = orderTerms(input.ordering, contract.configurationOrders, { field: 'created', direction: 'desc' });
  const { offset, limit } = sliceOf(input);
  const [found, count] = await Promise.all([
    rows
      .clone()
      .orderBy([
        ...terms.map(({ field, direction }) => ({ column: field, order: direction })),
        { column: 'uuid', order: terms[0].direction },
      ])
      .offset(offset)
      .limit(limit),
    rows.clone().resultSize(),
  ]);
  assertPageExists(input, found);
  return pageOf(input, found.map(viewOf), count);
}

export async function get({ db }: Deps, uuid: string): Promise<contract.RequestConfiguration> {
  const row = await customerConfigurations.find(db, uuid);
  if (!row) throw configurationNotFound();
  return viewOf(row);
}

/** R-REQ-10. Policies that take requests are locked, so that the answer holds until the transaction ends. */
async function assertExclusive(trx: Transaction, row: ConfigurationRow): Promise<void> {
  if (row.subsidyRequestsEnabled && (await holdRequestable(trx, row.enterpriseCustomerUuid)).length > 0)
    throw contract.requestsEnabledElsewhere({});
}

const alreadyThere = (cause: unknown) =>
  invalidInput(
    {
      fields: {
        enterprise_customer_uuid: [
          'subsidy request customer configuration with this enterprise customer uuid already exists.',
        ],
      },
    },
    { cause },
  );

export async function create(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.create>,
): Promise<contract.RequestConfiguration> {
  const at = deps.clock();
  const row: ConfigurationRow = {
    uuid: input.enterpriseCustomerUuid,
    enterpriseCustomerUuid: input.enterpriseCustomerUuid,
    subsidyRequestsEnabled: input.subsidyRequestsEnabled,
    subsidyType: input.subsidyType || null,
    changedByUserId: actor.userId,
    changedByLmsUserId: actor.lmsUserId,
    created: at,
    modified: at,
  };
  try {
    await transaction(deps.db, async (trx) => {
      await customerConfigurations.insert(trx, row);
      await assertExclusive(trx, row);
    });
  } catch (error) {
    if (isUniqueViolation(error)) throw alreadyThere(error);
    throw error;
  }
  return viewOf(row);
}

export async function update(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.update>,
): Promise<contract.RequestConfiguration> {
  return transaction(deps.db, async (trx) => {
    const before = await customerConfigurations.query(trx).findById(input.enterpriseCustomerUuid).forUpdate();
    if (!before) throw configurationNotFound();
    const after: ConfigurationRow = {
      ...before,
      subsidyRequestsEnabled: input.subsidyRequestsEnabled ?? before.subsidyRequestsEnabled,
      subsidyType: input.subsidyType === undefined ? before.subsidyType : input.subsidyType || null,
      changedByUserId: actor.userId,
      changedByLmsUserId: actor.lmsUserId,
      modified: deps.clock(),
    };
    await customerConfigurations.change(trx, before, after);
    await assertExclusive(trx, after);
    return viewOf(after);
  });
}
