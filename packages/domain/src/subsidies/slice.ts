import { defineSlice } from '../kernel/slice.ts';
import { transactionView } from '../ledger/contract.ts';
import { ownerOf, ownerOfTransaction } from '../ledger/index.ts';
import { enrollmentRevoked, revokedEvent } from './consumers.ts';
import * as contract from './contract.ts';
import { legacy } from './legacy.ts';
import { permissions, roles } from './permissions.ts';
import { ledger } from './router.ts';
import { settings } from './settings.ts';

const { canRedeem, createSubsidy, deleteSubsidy, getSubsidy, listSubsidies, updateSubsidy } = contract;
const { createTransaction, createTransactionV1, getTransaction, listTransactions, listTransactionsV1 } = contract;
const { aggregatesByLearner, contentMetadata, createDeposit, ownTransactions, reverse } = contract;

export const subsidiesSlice = defineSlice({
  name: 'subsidies',
  namespaces: {
    ledger: {
      tag: 'Subsidies and the transactions that move their value.',
      router: ledger,
      contracts: {
        aggregatesByLearner,
        canRedeem,
        contentMetadata,
        createDeposit,
        createSubsidy,
        createTransaction,
        createTransactionV1,
        deleteSubsidy,
        getSubsidy,
        getTransaction,
        listSubsidies,
        listTransactions,
        listTransactionsV1,
        ownTransactions,
        reverse,
        updateSubsidy,
      },
      models: { subsidy: contract.subsidy, transactionView },
      legacy,
    },
  },
  permissions: Object.values(permissions),
  roles,
  owners: {
    // Not cached, because a subsidy can be hidden.
    subsidy: { find: ownerOf, remembered: false },
    transaction: { find: ownerOfTransaction, remembered: true },
  },
  events: [revokedEvent],
  consumers: [enrollmentRevoked],
  settings,
});
