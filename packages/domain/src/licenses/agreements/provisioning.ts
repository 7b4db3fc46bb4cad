import { isUniqueViolation, type Transaction, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../../kernel/contract.ts';
import { type FieldErrors, invalidInput } from '../../kernel/errors.ts';
import { newUuid } from '../../kernel/ids.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { autoApplying } from '../plans/auto-apply.ts';
import * as provisioning from '../provisioning-store.ts';
import { isActiveAndCurrent } from '../rules.ts';
import * as store from '../store.ts';
import { customerAgreements, type ExpirationMessaging } from '../tables.ts';
import { type AgreementRow, agreementOf, surroundingsOf } from '../view.ts';
import type { Agreement } from '../view-contract.ts';
import { cleanHtml, messagingProblems } from './messaging.ts';
import * as contract from './provisioning-contract.ts';
import { agreementNotFound } from './service.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

const DAYS_BEFORE_PURGE = 90;

const shown = async (deps: Deps, row: AgreementRow): Promise<Agreement> =>
  agreementOf(row, await surroundingsOf(deps, [row.uuid]), { activePlansOnly: false });

const taken = (field: string) => [`Customer Agreement with this ${field.replaceAll('_', ' ')} already exists.`];

/** Stores an agreement; another with its customer or its slug is refused, also one that is stored at the same time. */
async function storing(
  deps: Deps,
  rowOf: () => AgreementRow,
  write: (trx: Transaction) => Promise<void>,
): Promise<void> {
  try {
    await transaction(deps.db, write);
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw invalidInput({ fields: await conflicts(deps, rowOf()) }, { cause: error });
  }
}

async function conflicts({ db }: Deps, row: AgreementRow): Promise<FieldErrors> {
  const others = await provisioning.agreementsLike(db, row);
  const fields: Record<string, string[]> = {};
  for (const other of others) {
    if (other.enterpriseCustomerUuid === row.enterpriseCustomerUuid)
      fields.enterprise_customer_uuid = taken('enterprise_customer_uuid');
    if (other.enterpriseCustomerSlug === row.enterpriseCustomerSlug && row.enterpriseCustomerSlug !== null)
      fields.enterprise_customer_slug = taken('enterprise_customer_slug');
  }
  return fields;
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

const given = <T extends object>(input: T): Given<T> =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as Given<T>;

export async function create(deps: Deps, input: Input<typeof contract.create>): Promise<Agreement> {
  const now = deps.clock();
  const row: AgreementRow = {
    uuid: newUuid(),
    enterpriseCustomerSlug: null,
    enterpriseCustomerName: null,
    defaultEnterpriseCatalogUuid: null,
    disableExpirationNotifications: false,
    disableOnboardingNotifications: false,
    daysBeforePurge: DAYS_BEFORE_PURGE,
    expirationMessaging: null,
    enableAutoAppliedSubscriptionsWithUniversalLink: false,
    enableAutoScalingOfCurrentPlan: false,
    autoScalingMaxLicenses: null,
    autoScalingThresholdPercentage: null,
    autoScalingIncrementPercentage: null,
    created: now,
    modified: now,
    ...given(input),
    enterpriseCustomerUuid: input.enterpriseCustomerUuid,
  };
  const known = await conflicts(deps, row);
  if (Object.keys(known).length > 0) throw invalidInput({ fields: known });
  await storing(
    deps,
    () => row,
    (trx) => customerAgreements.insert(trx, row),
  );
  return shown(deps, row);
}

async function found({ db }: Pick<Deps, 'db'>, uuid: string): Promise<AgreementRow> {
  const row = await store.findAgreement(db, uuid);
  if (!row) throw agreementNotFound();
  return row;
}

export const getForProvisioning = async (deps: Deps, uuid: string): Promise<Agreement> =>
  shown(deps, await found(deps, uuid));

export async function update(deps: Deps, input: Input<typeof contract.update>): Promise<Agreement> {
  const { uuid, enterpriseCustomerUuid, ...fields } = input;
  if (enterpriseCustomerUuid !== undefined) throw contract.customerIsFixed({});
  return shown(deps, await changed(deps, uuid, () => given(fields)));
}

/** Changes an agreement under its lock. */
async function changed(
  deps: Deps,
  uuid: string,
  change: (before: AgreementRow) => Partial<AgreementRow>,
): Promise<AgreementRow> {
  let after = await found(deps, uuid);
  const write = async (trx: Transaction): Promise<void> => {
    const before = await provisioning.holdAgreement(trx, uuid);
    if (!before) throw agreementNotFound();
    after = { ...before, ...change(before), modified: deps.clock() };
    await customerAgreements.change(trx, before, after);
  };
  await storing(deps, () => after, write);
  return after;
}

type Settings = Output<typeof contract.configure>;

export async function configure(deps: Deps, input: Input<typeof contract.configure>): Promise<Settings> {
  const { uuid, ...fields } = input;
  const row = await changed(deps, uuid, (before) => {
    const expirationMessaging = messagingAfter(before.expirationMessaging, fields);
    const {
      hasCustomLicenseExpirationMessaging: _enabled,
      modalHeaderText: _header,
      expiredSubscriptionModalMessaging: _message,
      buttonLabelInModal: _label,
      urlForButtonInModal: _url,
      ...others
    } = fields;
    return { ...given(others), expirationMessaging };
  });
  return settingsOf(row);
}

type MessagingInput = Omit<Input<typeof contract.configure>, 'uuid'>;

/** The texts after a change; none that says anything is none at all. */
function messagingAfter(before: ExpirationMessaging | null, input: MessagingInput): ExpirationMessaging | null {
  const pick = (value: string | null | undefined, known: string | null | undefined): string | null =>
    (value === undefined ? known : value) || null;
  const message = pick(input.expiredSubscriptionModalMessaging, before?.message);
  const after: ExpirationMessaging = {
    isEnabled: input.hasCustomLicenseExpirationMessaging ?? before?.isEnabled ?? false,
    headerText: pick(input.modalHeaderText, before?.headerText),
    message: message === null ? null : cleanHtml(message),
    buttonLabel: pick(input.buttonLabelInModal, before?.buttonLabel),
    buttonUrl: pick(input.urlForButtonInModal, before?.buttonUrl),
  };
  const problems = messagingProblems(after);
  if (problems) throw invalidInput({ fields: problems });
  return after.isEnabled || before !== null ? after : null;
}

const settingsOf = (row: AgreementRow): Settings => ({
  uuid: row.uuid,
  enterpriseCustomerName: row.enterpriseCustomerName,
  daysBeforePurge: row.daysBeforePurge,
  hasCustomLicenseExpirationMessaging: row.expirationMessaging?.isEnabled ?? false,
  modalHeaderText: row.expirationMessaging?.headerText ?? null,
  expiredSubscriptionModalMessaging: row.expirationMessaging?.message ?? null,
  buttonLabelInModal: row.expirationMessaging?.buttonLabel ?? null,
  urlForButtonInModal: row.expirationMessaging?.buttonUrl ?? null,
  enableAutoScalingOfCurrentPlan: row.enableAutoScalingOfCurrentPlan,
  autoScalingMaxLicenses: row.autoScalingMaxLicenses,
  autoScalingThresholdPercentage: row.autoScalingThresholdPercentage,
  autoScalingIncrementPercentage: row.autoScalingIncrementPercentage,
});

/** All plans of the agreement stop to apply licences automatically, then the chosen one begins (R-LIC-17). */
export async function setAutoAppliedPlan(
  deps: Deps,
  { uuid, subscriptionPlan }: Input<typeof contract.setAutoAppliedPlan>,
): Promise<Agreement> {
  const row = await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const agreement = await provisioning.touchAgreement(trx, uuid, now);
    if (!agreement) throw agreementNotFound();
    const plans = await provisioning.holdPlansOfAgreement(trx, uuid);
    const chosen = plans.find((plan) => plan.uuid === subscriptionPlan);
    if (subscriptionPlan !== null && !(chosen && isActiveAndCurrent(chosen, now)))
      throw contract.planNotApplicable({ plan: subscriptionPlan });
    for (const plan of plans) {
      const isChosen = plan.uuid === subscriptionPlan;
      if (isChosen || plan.shouldAutoApplyLicenses === true)
        await provisioning.changePlan(trx, plan, autoApplying(plan, isChosen, now), now);
    }
    return agreement;
  });
  return shown(deps, row);
}
