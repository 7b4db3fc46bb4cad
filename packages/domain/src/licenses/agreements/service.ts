import type { VisibleCustomers } from '../../kernel/actor.ts';
import type { Input } from '../../kernel/contract.ts';
import { notFound } from '../../kernel/errors.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import * as store from '../store.ts';
import { agreementOf, surroundingsOf } from '../view.ts';
import type { Agreement } from '../view-contract.ts';
import type * as contract from './contract.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

export const agreementNotFound = () => notFound({}, { message: 'No CustomerAgreement matches the given query.' });

export async function list(
  deps: Deps,
  visible: VisibleCustomers,
  input: Input<typeof contract.list>,
): Promise<Page<Agreement>> {
  const { enterpriseCustomerUuid } = input;
  const { rows, count } = await store.pageOfAgreements(deps.db, { visible, enterpriseCustomerUuid }, sliceOf(input));
  assertPageExists(input, rows);
  const around = await surroundingsOf(
    deps,
    rows.map(({ uuid }) => uuid),
  );
  return pageOf(
    input,
    rows.map((row) => agreementOf(row, around, input)),
    count,
  );
}

export async function get(deps: Deps, input: Input<typeof contract.get>): Promise<Agreement> {
  const row = await store.findAgreement(deps.db, input.uuid);
  if (!row) throw agreementNotFound();
  return agreementOf(row, await surroundingsOf(deps, [row.uuid]), input);
}
