import { type Transaction, transaction } from '@enterprise-access/db';
import { parse } from 'csv-parse/sync';
import { keepDecisionWithin } from '../decisions/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { enqueue } from '../kernel/jobs/job.ts';
import { pageNumber, pageOf } from '../kernel/page.ts';
import { type Deps, judgedOrder } from './allocate.ts';
import * as contract from './allocation-contract.ts';
import { allocateBatch } from './bulk-job.ts';
import * as store from './bulk-store.ts';
import { allocationDecision } from './decide.ts';
import { uniqueEmails } from './plan.ts';

/** Learners per transaction: few enough for single statements and a short lock on the budget’s row. */
const CHUNK = 2_000;

/** Stores the list and enqueues the job that allocates it; the job checks the budget. */
export async function allocateInBulk(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.allocateInBulk>,
): Promise<Output<typeof contract.allocateInBulk>> {
  const source = input.csv === undefined ? 'api' : 'admin_ui_bulk_csv';
  const uuid = newUuid();
  const { policy, by, facts } = await judgedOrder(deps, actor, { ...input, batchUuid: uuid, source });
  const emails = uniqueEmails(
    (input.csv === undefined ? (input.learnerEmails ?? []) : addressesIn(input.csv)).map(trim),
  );
  const batch: store.Batch = {
    uuid,
    policyUuid: policy.uuid,
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    contentKey: input.contentKey,
    priceCents: input.contentPriceCents,
    suppressEmail: input.suppressEmail,
    source,
    actorUserId: by.userId,
    actorLmsUserId: by.lmsUserId,
    learnerCount: emails.length,
    created: deps.clock(),
  };
  if (emails.length === 0 || emails.length > contract.LARGEST_BULK) {
    throw tooFewOrMany(input.csv === undefined ? 'learner_emails' : 'csv', emails.length);
  }
  const { contentKey } = input;
  const decision = allocationDecision(deps, { policy, contentKey, facts, learnerCount: emails.length });
  const jobUuid = await transaction(deps.db, async (trx) => {
    keepDecisionWithin(trx, decision);
    await store.insert(trx, batch, chunksOf(emails));
    return ask(trx, deps, batch);
  });
  return { uuid, jobUuid, learnerCount: emails.length };
}

const trim = (text: string): string => text.trim();

const tooFewOrMany = (field: 'learner_emails' | 'csv', count: number) =>
  invalidInput({
    fields: {
      [field]: [
        count === 0
          ? 'This list may not be empty.'
          : `Ensure this field has no more than ${contract.LARGEST_BULK} elements.`,
      ],
    },
  });

const ask = (trx: Transaction, deps: Pick<Deps, 'clock'>, batch: store.Batch): Promise<string> =>
  enqueue(trx, deps.clock(), allocateBatch, {
    batchUuid: batch.uuid,
    policyUuid: batch.policyUuid,
    enterpriseCustomerUuid: batch.enterpriseCustomerUuid,
  });

function chunksOf(emails: readonly string[]): store.Chunk[] {
  const chunks: store.Chunk[] = [];
  for (let start = 0; start < emails.length; start += CHUNK) {
    const learnerEmails = emails.slice(start, start + CHUNK);
    const outcomes = learnerEmails.map((email) =>
      contract.plainAddress.safeParse(email).success ? null : 'invalid_address',
    );
    chunks.push({ position: chunks.length, learnerEmails, outcomes });
  }
  return chunks;
}

const EMAIL_COLUMNS = ['email', 'learner_email', 'learner email', 'email address'];

/** The addresses in a CSV text: the column with an e-mail header, or the first column. */
export function addressesIn(csv: string): string[] {
  let rows: string[][];
  try {
    // The delimiter of spreadsheets depends on their language; addresses contain none of these.
    const delimiter = [',', ';', '\t'];
    rows = parse(csv, { bom: true, delimiter, relax_column_count: true, skip_empty_lines: true, trim: true });
  } catch {
    throw invalidInput({ fields: { csv: ['The text is not valid CSV.'] } });
  }
  const [head = [], ...body] = rows;
  const named = head.findIndex((title) => EMAIL_COLUMNS.includes(title.toLowerCase()));
  const values = named === -1 ? rows.map(([first = '']) => first) : body.map((row) => row[named] ?? '');
  return values.filter((value) => value !== '');
}

async function batchOf(deps: Pick<Deps, 'db'>, input: { policyUuid: string; uuid: string }): Promise<store.Batch> {
  const batch = await store.find(deps.db, input.uuid);
  if (batch?.policyUuid !== input.policyUuid) throw notFound({});
  return batch;
}

const succeeded: ReadonlySet<string> = new Set(['waiting', 'created', 'updated', 'no_change']);

export async function bulkReport(
  deps: Pick<Deps, 'db'>,
  input: Input<typeof contract.bulkReport>,
): Promise<Output<typeof contract.bulkReport>> {
  const batch = await batchOf(deps, input);
  const page = pageNumber(input);
  const learners = (await store.chunksOf(deps.db, batch.uuid)).flatMap(({ learnerEmails, outcomes }) =>
    learnerEmails.map((learnerEmail, at) => ({ learnerEmail, outcome: outcomes[at] ?? ('waiting' as const) })),
  );
  const wanted = input.onlyFailed ? learners.filter(({ outcome }) => !succeeded.has(outcome)) : learners;
  const start = (page - 1) * input.pageSize;
  const items = wanted.slice(start, start + input.pageSize);
  if (page > 1 && items.length === 0) throw notFound({}, { message: 'Invalid page.' });
  return pageOf(input, items, wanted.length);
}

/** Whether a learner is retried: not if the address is invalid or the allocation succeeded. */
const mayChange = (outcome: store.BulkOutcome | null): boolean =>
  outcome !== null && outcome !== 'invalid_address' && !succeeded.has(outcome);

export async function resumeBulk(
  deps: Pick<Deps, 'db' | 'clock'>,
  input: Input<typeof contract.resumeBulk>,
): Promise<Output<typeof contract.resumeBulk>> {
  const batch = await batchOf(deps, input);
  return transaction(deps.db, async (trx) => {
    let learnerCount = 0;
    for (const chunk of await store.holdAll(trx, batch.uuid)) {
      const failed = chunk.outcomes.filter(mayChange).length;
      if (failed === 0) continue;
      learnerCount += failed;
      const outcomes = chunk.outcomes.map((outcome) => (mayChange(outcome) ? null : outcome));
      await store.setOutcomes(trx, batch.uuid, chunk, outcomes, null);
    }
    if (learnerCount === 0) throw contract.nothingToResume({});
    store.recordResumed(trx, batch);
    return { jobUuid: await ask(trx, deps, batch), learnerCount };
  });
}
