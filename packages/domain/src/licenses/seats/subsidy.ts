import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from '../../kernel/actor.ts';
import type { Input, Output } from '../../kernel/contract.ts';
import { upstreamUnavailable } from '../../kernel/errors.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { agreementNotFound } from '../agreements/service.ts';
import type { PlanRow } from '../rules.ts';
import type { LicenseRow } from '../store.ts';
import * as store from '../store.ts';
import { callerOf } from './caller.ts';
import { heldOf } from './learner.ts';
import * as contract from './learner-contract.ts';
import { licensesOfHolder, plansOf } from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings' | 'catalog' | 'log'>;
type Verdict = (typeof contract.verdicts)[number];

/** How long the catalogs of all plans together may take to answer. */
const DEADLINE_MS = 5_000;

interface Judged {
  readonly license: LicenseRow;
  readonly plan: PlanRow;
  readonly verdict: Verdict;
}

/** Why a licence gives nothing whatever the course is; null if the catalog decides. Plans that are over give nothing (W-30). */
function reasonAgainst(license: LicenseRow, plan: PlanRow, now: Date): Verdict | null {
  if (license.status === 'revoked') return 'revoked';
  if (license.status !== 'activated') return 'not_activated';
  if (!plan.isActive) return 'plan_not_active';
  if (plan.startDate > now) return 'plan_not_started';
  return plan.expirationDate < now ? 'plan_expired' : null;
}

/** The order in which licences are tried: priority of the plan, then the latest expiration (R-LIC-80). */
const byPrecedence = (
  a: { readonly plan: PlanRow; readonly row: LicenseRow },
  b: { readonly plan: PlanRow; readonly row: LicenseRow },
): number =>
  b.plan.priority - a.plan.priority ||
  b.plan.expirationDate.getTime() - a.plan.expirationDate.getTime() ||
  (a.row.uuid < b.row.uuid ? -1 : 1);

/** Whether each catalog contains the course: asked side by side, null where none answered in time (W-40, W-41). */
async function containing(
  { catalog, log }: Deps,
  catalogUuids: readonly string[],
  courseKey: string,
): Promise<Map<string, boolean | null>> {
  const stop = new AbortController();
  const late = sleep(DEADLINE_MS, null, { signal: stop.signal }).catch(() => null);
  const answers = await Promise.all(
    catalogUuids.map(async (uuid) => {
      const asked = catalog.contains(uuid, courseKey).catch((err: unknown) => {
        log.warn({ err, catalogUuid: uuid }, 'a catalog did not say whether it contains a course');
        return null;
      });
      return [uuid, await Promise.race([asked, late])] as const;
    }),
  );
  stop.abort();
  return new Map(answers);
}

/** The caller's licences of a customer for a course, in their order, with a verdict each. */
async function judge(deps: Deps, actor: Actor, customer: string, courseKey: string): Promise<Judged[]> {
  const now = deps.clock();
  const rows = await licensesOfHolder(deps.db, { enterprise_customer_uuid: customer }, await callerOf(deps.db, actor));
  const plans = await plansOf(deps.db, [...new Set(rows.map((row) => row.subscriptionPlanUuid))]);
  const held = heldOf(rows, new Map(plans.map((plan) => [plan.uuid, plan]))).toSorted(byPrecedence);
  const asked = held.filter(({ row, plan }) => reasonAgainst(row, plan, now) === null);
  const catalogs = [...new Set(asked.map(({ plan }) => plan.enterpriseCatalogUuid))];
  const answers = await containing(deps, catalogs, courseKey);
  let isFound = false;
  return held.map(({ row: license, plan }) => {
    const against = reasonAgainst(license, plan, now);
    if (against) return { license, plan, verdict: against };
    const answer = answers.get(plan.enterpriseCatalogUuid) ?? null;
    if (answer === null) return { license, plan, verdict: 'catalog_did_not_answer' };
    if (!answer) return { license, plan, verdict: 'course_not_in_catalog' };
    const verdict = isFound ? 'another_comes_first' : 'applies';
    isFound = true;
    return { license, plan, verdict };
  });
}

export async function applicable(
  deps: Deps,
  actor: Actor,
  { enterpriseCustomerUuid, courseKey }: Input<typeof contract.applicable>,
): Promise<Output<typeof contract.applicable>> {
  const judged = await judge(deps, actor, enterpriseCustomerUuid, courseKey);
  return {
    licenseUuid: judged.find(({ verdict }) => verdict === 'applies')?.license.uuid ?? null,
    licenses: judged.map(({ license, plan, verdict }) => ({
      licenseUuid: license.uuid,
      subscriptionPlanUuid: plan.uuid,
      subscriptionPlanTitle: plan.title,
      expirationDate: plan.expirationDate,
      priority: plan.priority,
      verdict,
    })),
  };
}

/** The signature that the LMS checks (R-LIC-81). */
function checksumOf(
  { subsidyChecksumAlgorithm, subsidyChecksumFormat }: Runtime['settings'],
  secret: string,
  values: { readonly lmsUserId: number | null; readonly courseKey: string; readonly licenseUuid: string },
): string {
  const text = subsidyChecksumFormat
    .replace('{lms_user_id}', () => String(values.lmsUserId ?? 'None'))
    .replace('{course_key}', () => values.courseKey)
    .replace('{license_uuid}', () => values.licenseUuid);
  return createHmac(subsidyChecksumAlgorithm, secret).update(text).digest('base64');
}

export async function subsidy(
  deps: Deps,
  actor: Actor,
  { enterpriseCustomerUuid: customer, courseKey }: Input<typeof contract.subsidy>,
): Promise<Output<typeof contract.subsidy>> {
  const agreement = customer === undefined ? undefined : await store.agreementOfCustomer(deps.db, customer);
  if (customer === undefined || !agreement) throw agreementNotFound();
  if (courseKey === undefined) throw contract.courseKeyMissing({});
  const { subsidyChecksumSecret: secret } = deps.settings;
  if (secret === null) throw contract.checksumUnavailable({});
  const judged = await judge(deps, actor, customer, courseKey);
  const found = judged.find(({ verdict }) => verdict === 'applies');
  if (!found) {
    // Without an answer nobody knows that the course is in no catalog.
    if (judged.some(({ verdict }) => verdict === 'catalog_did_not_answer'))
      throw upstreamUnavailable({ service: 'catalog' });
    throw contract.notSubsidized({});
  }
  const { license, plan } = found;
  const { lmsUserId } = license;
  return {
    discountType: 'percentage',
    discountValue: 100,
    status: license.status,
    subsidyId: license.uuid,
    startDate: plan.startDate,
    expirationDate: plan.expirationDate,
    subsidyChecksum: checksumOf(deps.settings, secret, { lmsUserId, courseKey, licenseUuid: license.uuid }),
  };
}
