import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { courseRunKey, instant, uuid } from '../kernel/ids.ts';
import { METADATA_BODY_LIMIT_BYTES, metadata } from '../kernel/metadata.ts';
import { ordering } from '../kernel/order.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { subsidyOrders, transactionOrders, transactionState, transactionView } from '../ledger/contract.ts';
import { LONGEST_CALLER_KEY } from '../ledger/rules.ts';
import * as errors from './errors.ts';
import { permissions } from './permissions.ts';

const MAXIMUM_CENTS = 1_000_000_000_000;
const INT32 = 2_147_483_647;

export const units = ['usd_cents'] as const;
export const referenceTypes = ['salesforce_opportunity_line_item'] as const;
export const revenueCategories = ['bulk-enrollment-prepay', 'partner-no-rev-prepay'] as const;

const lmsUserId = () => z.int().min(1).max(INT32);
const idempotencyKey = () => z.string().min(1).max(255).nullable();
/** Shorter than 255 characters, because the key is stored with a prefix. */
const keyOfTransaction = () => z.string().min(1).max(LONGEST_CALLER_KEY).nullable();
const pages = pageInput({ defaultSize: 10, maximumSize: 100 });

/** A subsidy in replies. */
export const subsidy = z
  .object({
    uuid: z.string().describe('Identifies the subsidy.'),
    title: z.string().nullable().describe('Name for administrators.'),
    enterpriseCustomerUuid: z.string().describe('Customer that owns the subsidy.'),
    activeDatetime: z.date().nullable().describe('Start; null means no bound.'),
    expirationDatetime: z.date().nullable().describe('End; null means no bound.'),
    unit: z.string().describe('usd_cents.'),
    referenceId: z.string().nullable().describe('Sales line item.'),
    referenceType: z.string().describe('Kind of the reference.'),
    currentBalance: z.int().describe('Remaining US cents; pending transactions are already deducted.'),
    startingBalance: z.int().describe('Starting balance in US cents.'),
    internalOnly: z.boolean().describe('Internal test subsidy; its reference need not be unique.'),
    revenueCategory: z.string().describe('For analytics.'),
    isActive: z.boolean().describe('Whether the subsidy is active now.'),
    totalDeposits: z.int().describe('Total deposits in US cents.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
  })
  .meta({ title: 'Subsidy' });
export type SubsidyView = z.infer<typeof subsidy>;

const ofSubsidy = { from: 'subsidy', field: 'uuid' } as const;
const subsidyUuid = () => uuid().describe('Subsidy.');

export const listSubsidies = defineContract({
  summary:
    'Subsidies of a customer with their balances, newest first. Without a customer, all subsidies; requires access to all customers.',
  kind: 'query',
  permission: permissions.can_read_subsidies,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  rest: { method: 'GET', path: '/api/v1/subsidies/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().optional().describe('Only subsidies of this customer.'),
    uuid: uuid().optional().describe('Only this subsidy.'),
    title: z.string().max(255).optional().describe('Only subsidies whose title contains this text.'),
    sortBy: ordering(subsidyOrders, '-created'),
    ...pages,
  }),
  output: pageOutput(subsidy),
  errors: [],
});

export const getSubsidy = defineContract({
  summary: 'One subsidy with its balance.',
  kind: 'query',
  permission: permissions.can_read_subsidies,
  context: ofSubsidy,
  rest: { method: 'GET', path: '/api/v1/subsidies/{uuid}/' },
  input: z.object({ uuid: subsidyUuid() }),
  output: subsidy,
  errors: [],
});

export const canRedeem = defineContract({
  summary: 'Whether a learner could redeem a content from this subsidy, regardless of policies.',
  kind: 'query',
  permission: permissions.can_read_subsidies,
  context: ofSubsidy,
  rest: { method: 'GET', path: '/api/v1/subsidies/{uuid}/can_redeem/' },
  input: z.object({
    uuid: subsidyUuid(),
    lmsUserId: lmsUserId().describe('Learner.'),
    contentKey: z.string().min(1).max(255).describe('Course run.'),
  }),
  output: z.object({
    canRedeem: z.boolean().describe('Whether the balance covers the price and the content is not redeemed yet.'),
    contentPrice: z.int().nullable().describe('Price in US cents; null if unknown.'),
    unit: z.string().describe('usd_cents.'),
    allTransactions: z.array(transactionView).describe('The learner’s transactions for the content, in any state.'),
    active: z.boolean().describe('Whether the subsidy is active now.'),
  }),
  errors: [errors.contentNotFound],
});

export const aggregatesByLearner = defineContract({
  summary: 'Number of current enrollments paid by the subsidy, per learner.',
  kind: 'query',
  permission: permissions.can_read_subsidies,
  context: ofSubsidy,
  rest: { method: 'GET', path: '/api/v1/subsidies/{uuid}/aggregates-by-learner' },
  input: z.object({
    uuid: subsidyUuid(),
    subsidyAccessPolicyUuid: uuid().optional().describe('Only transactions through this policy.'),
  }),
  output: z.array(
    z
      .object({
        lmsUserId: z.int().describe('Learner.'),
        total: z.int().min(0).describe('Number of enrollments.'),
      })
      .meta({ title: 'EnrollmentsOfLearner' }),
  ),
  errors: [],
});

export const contentMetadata = defineContract({
  summary: 'Metadata and price of a course or run for a customer.',
  kind: 'query',
  permission: permissions.can_read_metadata,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  rest: { method: 'GET', path: '/api/v1/content-metadata/{contentIdentifier}/' },
  input: z.object({
    contentIdentifier: z.string().min(1).max(255).describe('Key of the course or run.'),
    enterpriseCustomerUuid: uuid().describe('Customer whose catalogs are searched.'),
  }),
  output: z
    .object({
      contentTitle: z.string().nullable().describe('Title.'),
      contentUuid: z.string().nullable().describe('Identifies the content in the catalog.'),
      contentKey: z.string().describe('Course.'),
      courseRunUuid: z.string().nullable().describe('Identifies the run in the catalog.'),
      courseRunKey: z.string().nullable().describe('Run.'),
      courseRunStartDate: z.date().nullable().describe('Start of the run.'),
      source: z.string().describe('edX or 2u.'),
      mode: z.string().describe('Mode of the enrollment.'),
      contentPrice: z.int().nullable().describe('Price in US cents; null if unknown.'),
      enrollByDate: z.date().nullable().describe('Enrollment deadline.'),
      geagVariantId: z.string().nullable().describe('Variant of executive education.'),
    })
    .meta({ title: 'ContentMetadata' }),
  errors: [],
});

export const createSubsidy = defineContract({
  summary: 'Create a subsidy with its ledger and first deposit, or find the public one with the same reference.',
  kind: 'mutation',
  permission: permissions.can_write_subsidies,
  context: { from: 'customer', field: 'defaultEnterpriseCustomerUuid' },
  rest: { method: 'POST', path: '/api/v1/subsidies/', status: 201 },
  input: z.object({
    referenceId: z.string().trim().min(1).max(255).describe('Sales line item.'),
    defaultTitle: z.string().trim().max(255).nullable().describe('Name for administrators.'),
    defaultEnterpriseCustomerUuid: uuid().describe('Customer that will own the subsidy.'),
    defaultActiveDatetime: instant().describe('Start.'),
    defaultExpirationDatetime: instant().describe('End.'),
    defaultUnit: z.enum(units).describe('Unit of amounts.'),
    defaultStartingBalance: z.int().min(0).max(MAXIMUM_CENTS).describe('US cents of the first deposit.'),
    defaultRevenueCategory: z.enum(revenueCategories).describe('For analytics.'),
    defaultInternalOnly: z.boolean().describe('True always creates a new subsidy.'),
  }),
  output: z.object({
    subsidy: subsidy.describe('The subsidy, new or found.'),
    created: z.boolean().describe('False if the subsidy existed.'),
  }),
  errors: [],
});

export const updateSubsidy = defineContract({
  summary: 'Update fields of a subsidy; omitted fields are not changed. Use deposits to add value.',
  kind: 'mutation',
  permission: permissions.can_write_subsidies,
  context: ofSubsidy,
  rest: { method: 'PATCH', alsoMethods: ['PUT'], path: '/api/v1/subsidies/{uuid}/' },
  input: z
    .object({
      uuid: subsidyUuid(),
      title: z.string().trim().max(255).nullable().describe('Name for administrators.'),
      activeDatetime: instant().nullable().describe('Start; null means no bound.'),
      expirationDatetime: instant().nullable().describe('End; null means no bound.'),
      referenceId: z.string().trim().min(1).max(255).nullable().describe('Sales line item.'),
      internalOnly: z.boolean().describe('Internal test subsidy; its reference need not be unique.'),
      revenueCategory: z.enum(revenueCategories).describe('For analytics.'),
      enterpriseCustomerUuid: uuid().describe('Cannot be changed: another value is refused.'),
      unit: z.string().describe('Cannot be changed: another value is refused.'),
      referenceType: z.string().describe('Cannot be changed: another value is refused.'),
      startingBalance: z.int().describe('US cents. Cannot be changed: another value is refused.'),
    })
    .partial()
    .required({ uuid: true }),
  output: subsidy,
  errors: [],
});

export const deleteSubsidy = defineContract({
  summary: 'Soft-delete a subsidy. Its ledger and transactions are kept.',
  kind: 'mutation',
  permission: permissions.can_write_subsidies,
  context: ofSubsidy,
  rest: { method: 'DELETE', path: '/api/v1/subsidies/{uuid}/', status: 204 },
  input: z.object({ uuid: subsidyUuid() }),
  output: z.object({}),
  errors: [],
});

const filters = {
  contentKey: z.string().max(255).optional().describe('Only this course run.'),
  subsidyAccessPolicyUuid: uuid().optional().describe('Only transactions through this policy.'),
  state: z.array(transactionState).max(10).optional().describe('Only these states.'),
  search: z
    .string()
    .max(255)
    .optional()
    .describe('Only transactions whose e-mail address or title contains this text.'),
  ordering: ordering(transactionOrders, '-created'),
};

export const listTransactions = defineContract({
  summary: 'Transactions of a subsidy, newest first, optionally with totals of all matches.',
  kind: 'query',
  permission: permissions.can_read_all_transactions,
  context: ofSubsidy,
  denial: 'Missing',
  rest: { method: 'GET', path: '/api/v2/subsidies/{uuid}/admin/transactions/' },
  input: z.object({
    uuid: subsidyUuid(),
    lmsUserId: lmsUserId().optional().describe('Only this learner.'),
    ...filters,
    includeAggregates: z.boolean().default(false).describe('Whether to include totals.'),
    ...pages,
  }),
  output: pageOutput(transactionView).extend({
    aggregates: z
      .object({
        unit: z.string().describe('usd_cents.'),
        remainingSubsidyBalance: z.int().describe('Remaining US cents of the subsidy.'),
        totalQuantity: z.int().describe('Sum of all matches in US cents, net of reversals.'),
      })
      .nullable()
      .describe('Null unless requested.'),
  }),
  errors: [],
});

export const listTransactionsV1 = defineContract({
  summary: 'Transactions of a subsidy, newest first; version 1 of `ledger.listTransactions`.',
  kind: 'query',
  permission: permissions.can_read_all_transactions,
  context: { from: 'subsidy', field: 'subsidyUuid' },
  rest: { method: 'GET', path: '/api/v1/transactions/' },
  input: z.object({
    subsidyUuid: subsidyUuid(),
    lmsUserId: lmsUserId().optional().describe('Only this learner.'),
    ...filters,
    ...pages,
  }),
  output: pageOutput(transactionView),
  errors: [],
});

const purchase = {
  lmsUserId: lmsUserId().describe('Learner to enroll.'),
  contentKey: courseRunKey().describe('Course run.'),
  subsidyAccessPolicyUuid: uuid().describe('Policy whose budget is charged.'),
  metadata: metadata('Kept with the transaction.').default(null),
  idempotencyKey: keyOfTransaction()
    .default(null)
    .describe('Idempotency key: a second spend with this key returns the first one.'),
};
const purchased = z.object({
  transaction: transactionView.describe('The transaction, new or found.'),
  created: z.boolean().describe('False if the redemption existed.'),
});
const purchaseErrors = [
  errors.inactiveSubsidy,
  errors.enrollmentRefused,
  errors.fulfillmentRefused,
  errors.contentNotFound,
  errors.invalidRequestedPrice,
  errors.transactionNotCreated,
  errors.policyLimitReached,
  errors.transactionPending,
] as const;

export const createTransaction = defineContract({
  summary: 'Spend from a subsidy on one course run for one learner, or return the existing redemption.',
  kind: 'mutation',
  permission: permissions.can_create_transactions,
  context: ofSubsidy,
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v2/subsidies/{uuid}/admin/transactions/', status: 201 },
  bodyLimitBytes: METADATA_BODY_LIMIT_BYTES,
  input: z.object({
    uuid: subsidyUuid(),
    ...purchase,
    requestedPriceCents: z
      .int()
      .min(0)
      .max(MAXIMUM_CENTS)
      .nullable()
      .default(null)
      .describe('US cents, close to the canonical price; null or 0 means the canonical price.'),
  }),
  output: purchased,
  errors: purchaseErrors,
});

export const createTransactionV1 = defineContract({
  summary: 'Spend from a subsidy at the canonical price; version 1 of `ledger.createTransaction`.',
  kind: 'mutation',
  permission: permissions.can_create_transactions,
  context: { from: 'subsidy', field: 'subsidyUuid' },
  rest: { method: 'POST', path: '/api/v1/transactions/', status: 201 },
  bodyLimitBytes: METADATA_BODY_LIMIT_BYTES,
  input: z.object({ subsidyUuid: subsidyUuid(), ...purchase }),
  output: purchased,
  errors: purchaseErrors,
});

export const createDeposit = defineContract({
  summary: 'Add value to a subsidy. Repeating it with the same key returns the same deposit.',
  kind: 'mutation',
  permission: permissions.can_create_transactions,
  context: ofSubsidy,
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v2/subsidies/{uuid}/admin/deposits/', status: 201 },
  bodyLimitBytes: METADATA_BODY_LIMIT_BYTES,
  input: z.object({
    uuid: subsidyUuid(),
    desiredDepositQuantity: z.int().min(1).max(MAXIMUM_CENTS).describe('US cents to add.'),
    salesContractReferenceId: z.string().trim().min(1).max(150).describe('Sales line item.'),
    salesContractReferenceProvider: z.string().max(32).describe('Slug of the provider of the line items.'),
    metadata: metadata('Kept with the transaction.').default(null),
    idempotencyKey: keyOfTransaction()
      .default(null)
      .describe('Idempotency key; default derived from amount and line item.'),
  }),
  output: z.object({
    deposit: z
      .object({
        uuid: z.string().describe('Identifies the deposit.'),
        ledger: z.string().describe('Ledger of the deposit.'),
        desiredDepositQuantity: z.int().describe('US cents.'),
        transaction: z.string().describe('Transaction of the deposit.'),
        salesContractReferenceId: z.string().nullable().describe('Sales line item.'),
        salesContractReferenceProvider: z.string().nullable().describe('Provider of the line item.'),
      })
      .describe('The deposit, new or found.'),
    created: z.boolean().describe('False if the deposit existed.'),
  }),
  errors: [errors.depositOnExpiredSubsidy, errors.depositNotCreated],
});
export type DepositView = z.infer<typeof createDeposit.output>['deposit'];

export const ownTransactions = defineContract({
  summary: 'The caller’s own transactions in a subsidy, newest first.',
  kind: 'query',
  permission: permissions.can_read_transactions,
  context: ofSubsidy,
  denial: 'Missing',
  rest: { method: 'GET', path: '/api/v2/subsidies/{uuid}/transactions/' },
  input: z.object({ uuid: subsidyUuid(), ...filters, ...pages }),
  output: pageOutput(transactionView),
  errors: [],
});

export const getTransaction = defineContract({
  summary: 'One transaction. Learners see their own, administrators all of their customer.',
  kind: 'query',
  permission: permissions.can_read_transactions,
  context: { from: 'transaction', field: 'uuid' },
  rest: { method: 'GET', path: '/api/v1/transactions/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Transaction.') }),
  output: transactionView,
  errors: [],
});

export const reverse = defineContract({
  summary: 'Reverse a committed redemption and release its value, once. Repeating it returns the same transaction.',
  kind: 'mutation',
  permission: permissions.can_create_transactions,
  context: { from: 'transaction', field: 'transactionUuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v2/subsidies/{uuid}/admin/transactions/{transactionUuid}/reverse/' },
  bodyLimitBytes: METADATA_BODY_LIMIT_BYTES,
  input: z.object({
    uuid: subsidyUuid(),
    transactionUuid: uuid().describe('Transaction of the subsidy.'),
    metadata: metadata('Kept with the reversal.').default(null),
    idempotencyKey: idempotencyKey().default(null).describe('Idempotency key; default derived from the transaction.'),
  }),
  output: transactionView,
  errors: [errors.notReversible],
});
