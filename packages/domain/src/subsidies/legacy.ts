import { z } from 'zod';
import type { Contract } from '../kernel/contract.ts';
import { encodePage, pageEnvelope } from '../kernel/envelope.ts';
import { type LegacyError, type LegacyForm, legacyReply } from '../kernel/legacy.ts';
import { snakeCase, wireCodec } from '../kernel/wire.ts';
import { transactionView } from '../ledger/contract.ts';
import * as contract from './contract.ts';

const renamed = (shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]));

const subsidyBody = z.object(renamed(contract.subsidy.shape)).meta({ title: 'Subsidy' });
const transactionBody = z
  .object({
    ...renamed(transactionView.shape),
    reversal: z
      .object(renamed(transactionView.shape.reversal.unwrap().shape))
      .meta({ title: 'Reversal' })
      .nullable()
      .describe('Set if the transaction was reversed.'),
  })
  .meta({ title: 'Transaction' });
const depositBody = z.object(renamed(contract.createDeposit.output.shape.deposit.shape)).meta({ title: 'Deposit' });

const encodeSubsidy = wireCodec(contract.subsidy).encode;
const encodeTransaction = wireCodec(transactionView).encode;
const encodeDeposit = wireCodec(contract.createDeposit.output.shape.deposit).encode;

/** Page envelope of the subsidy service. */
const subsidiesBody = z
  .object({
    count: z.int(),
    next: z.string().nullable().describe('Absolute URL of the next page.'),
    previous: z.string().nullable().describe('Absolute URL of the previous page.'),
    page_count: z.int(),
    results: z.array(subsidyBody),
  })
  .meta({ title: 'SubsidyPage' });

const aggregatesBody = z
  .object({
    unit: z.string(),
    remaining_subsidy_balance: z.int(),
    total_quantity: z.int(),
  })
  .meta({ title: 'TransactionAggregates' });

/** Errors with a code and a message. */
const coded = (of: Contract): Record<string, LegacyError> =>
  Object.fromEntries(
    of.errors.map(({ code }) => [
      code,
      {
        body: z.object({ detail: z.string(), code: z.string() }).meta({ title: 'CodedError' }),
        encode: (_details: never, message: string) => ({ detail: message, code }),
      },
    ]),
  );

/** Version 1 of spending returns the message in a field `Error`. */
const sentences = (of: Contract): Record<string, LegacyError> =>
  Object.fromEntries(
    of.errors.map(({ code }) => [
      code,
      {
        body: z.object({ Error: z.string() }).meta({ title: 'CapitalError' }),
        encode: (_details: never, message: string) => ({ Error: message }),
      },
    ]),
  );

const phrases = { not_authenticated: 'Unauthorized', permission_denied: 'Forbidden', not_found: 'Not Found' };

/** Version 1 of the subsidy routes returns each message twice. */
const verbose: Readonly<Record<string, LegacyError>> = Object.fromEntries(
  Object.entries(phrases).map(([code, phrase]) => [
    code,
    {
      body: z
        .object({ error_code: z.string(), developer_message: z.string(), user_message: z.string() })
        .meta({ title: 'VerboseError' }),
      encode: (_details: never, message: string) => ({
        error_code: phrase,
        developer_message: message,
        user_message: message,
      }),
    },
  ]),
);

const createdOrFound = {
  status: ({ created }: { readonly created: boolean }) => (created ? 201 : 200),
  statuses: [200, 201],
};

export const legacy: Readonly<Record<string, LegacyForm>> = {
  listSubsidies: {
    reply: legacyReply(contract.listSubsidies, {
      body: subsidiesBody,
      encode: (page, request) => {
        const { count, next, previous, num_pages, results } = encodePage(page, request, encodeSubsidy);
        return { count, next, previous, page_count: num_pages, results };
      },
    }),
    errors: verbose,
  },
  getSubsidy: { errors: verbose },
  canRedeem: { errors: { ...verbose, ...coded(contract.canRedeem) } },
  aggregatesByLearner: { errors: verbose },
  createSubsidy: {
    reply: legacyReply(contract.createSubsidy, {
      body: subsidyBody,
      encode: ({ subsidy }) => encodeSubsidy(subsidy),
      ...createdOrFound,
    }),
    errors: verbose,
  },
  updateSubsidy: { errors: verbose },
  deleteSubsidy: { errors: verbose },
  listTransactions: {
    reply: legacyReply(contract.listTransactions, {
      body: pageEnvelope(transactionBody)
        .extend({ aggregates: aggregatesBody.optional() })
        .meta({ title: 'TransactionPageWithAggregates' }),
      encode: (page, request) => {
        const envelope = encodePage(page, request, encodeTransaction);
        if (page.aggregates === null) return envelope;
        const { unit, remainingSubsidyBalance, totalQuantity } = page.aggregates;
        const aggregates = { unit, remaining_subsidy_balance: remainingSubsidyBalance, total_quantity: totalQuantity };
        return { ...envelope, aggregates };
      },
    }),
  },
  listTransactionsV1: {
    reply: legacyReply(contract.listTransactionsV1, {
      body: pageEnvelope(transactionBody),
      encode: (page, request) => encodePage(page, request, encodeTransaction),
    }),
  },
  createTransactionV1: {
    reply: legacyReply(contract.createTransactionV1, {
      body: transactionBody,
      encode: (output) => encodeTransaction(output.transaction),
      ...createdOrFound,
    }),
    errors: sentences(contract.createTransactionV1),
  },
  createTransaction: {
    reply: legacyReply(contract.createTransaction, {
      body: transactionBody,
      encode: (output) => encodeTransaction(output.transaction),
      ...createdOrFound,
    }),
    errors: coded(contract.createTransaction),
  },
  createDeposit: {
    reply: legacyReply(contract.createDeposit, {
      body: depositBody,
      encode: ({ deposit }) => encodeDeposit(deposit),
      ...createdOrFound,
    }),
    errors: coded(contract.createDeposit),
  },
  ownTransactions: {
    reply: legacyReply(contract.ownTransactions, {
      body: pageEnvelope(transactionBody),
      encode: (page, request) => encodePage(page, request, encodeTransaction),
    }),
  },
  reverse: { errors: coded(contract.reverse) },
};
