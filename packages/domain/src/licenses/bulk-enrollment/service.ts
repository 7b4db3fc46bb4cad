import { transaction } from '@enterprise-access/db';
import type { Actor } from '../../kernel/actor.ts';
import type { Input, Output } from '../../kernel/contract.ts';
import { invalidInput, notFound } from '../../kernel/errors.ts';
import { newUuid } from '../../kernel/ids.ts';
import { enqueue } from '../../kernel/jobs/job.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { agreementNotFound } from '../agreements/service.ts';
import { planNotFound } from '../plans/service.ts';
import { agreementOfCustomer, findPlan } from '../store.ts';
import * as contract from './contract.ts';
import { enrollInBulk } from './job-contracts.ts';
import { distinctEmails, pairsOf } from './rules.ts';
import * as store from './store.ts';

const bulkNotFound = () => notFound({}, { message: 'No BulkEnrollmentJob matches the given query.' });

/** Stores the request and its pairs, and enqueues the job. With `enrollAll` the job finds the learners. */
export async function enroll(
  { db, clock }: Pick<Runtime, 'db' | 'clock'>,
  actor: Pick<Actor, 'lmsUserId'>,
  input: Input<typeof contract.enroll>,
): Promise<Output<typeof contract.enroll>> {
  const { enterpriseCustomerUuid, subscriptionUuid, enrollAll, notify } = input;
  const agreement = await agreementOfCustomer(db, enterpriseCustomerUuid);
  if (!agreement) throw agreementNotFound();
  if (enrollAll && subscriptionUuid === undefined) throw planIsRequired();
  if (input.emails.length * input.courseRunKeys.length > contract.MOST_PAIRS)
    throw contract.tooManyEnrollments({ maximum: contract.MOST_PAIRS });
  const plan = subscriptionUuid === undefined ? undefined : await findPlan(db, subscriptionUuid);
  // Plans of other customers are unknown here.
  if (subscriptionUuid !== undefined && plan?.enterpriseCustomerUuid !== enterpriseCustomerUuid) throw planNotFound();

  const [uuid, now] = [newUuid(), clock()];
  const courseRunKeys = [...new Set(input.courseRunKeys)];
  const pairs = enrollAll ? [] : pairsOf(distinctEmails(input.emails), courseRunKeys, { position: 0, batch: 0 });
  return transaction(db, async (trx) => {
    const bulk = {
      uuid,
      enterpriseCustomerUuid,
      customerAgreementUuid: agreement.uuid,
      subscriptionPlanUuid: plan?.uuid ?? null,
      requestedBy: actor.lmsUserId,
      courseRunKeys,
      notify,
      isPlanned: !enrollAll,
      plannedTo: null,
      resultFile: null,
      created: now,
      modified: now,
      finished: null,
    };
    const jobUuid = newUuid();
    await store.insert(trx, { ...bulk, jobUuid });
    await store.insertPairs(trx, { ...bulk, jobUuid }, pairs, now);
    await enqueue(trx, now, enrollInBulk, { bulkEnrollmentUuid: uuid, enterpriseCustomerUuid }, jobUuid);
    return { uuid, jobUuid };
  });
}

const planIsRequired = () =>
  invalidInput({ fields: { subscription_id: ['This field is required when enroll_all is provided'] } });

async function bulkOf(
  db: Runtime['db'],
  input: { readonly enterpriseCustomerUuid: string; readonly bulkEnrollmentJobUuid: string },
): Promise<store.BulkRow> {
  const bulk = await store.find(db, input.bulkEnrollmentJobUuid);
  if (bulk?.enterpriseCustomerUuid !== input.enterpriseCustomerUuid) throw bulkNotFound();
  return bulk;
}

export async function status(
  { db, files }: Pick<Runtime, 'db' | 'files'>,
  input: Input<typeof contract.status>,
): Promise<Output<typeof contract.status>> {
  const { uuid, jobUuid, finished, resultFile } = await bulkOf(db, input);
  return {
    uuid,
    jobUuid,
    isFinished: finished !== null,
    counts: await store.countsOf(db, uuid),
    downloadUrl: resultFile === null ? null : await files.linkTo(resultFile, contract.LINK_SECONDS),
  };
}

export async function outcomes(
  { db }: Pick<Runtime, 'db'>,
  input: Input<typeof contract.outcomes>,
): Promise<Page<Output<typeof contract.outcomes>['items'][number]>> {
  const { uuid } = await bulkOf(db, input);
  const { onlyFailed = false } = input;
  const [rows, counts] = await Promise.all([
    store.pageOfPairs(db, uuid, { onlyFailed, ...sliceOf(input) }),
    store.countsOf(db, uuid),
  ]);
  assertPageExists(input, rows);
  const { success, pending, waiting, ...failed } = counts;
  const failures = Object.values(failed).reduce((sum, n) => sum + n, 0);
  const items = rows.map(({ email, courseRunKey, outcome, licenseUuid }) => ({
    email,
    courseRunKey,
    outcome,
    licenseUuid,
  }));
  return pageOf(input, items, onlyFailed ? failures : failures + success + pending + waiting);
}
