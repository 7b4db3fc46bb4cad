import { defineSlice } from '../kernel/slice.ts';
import { tables } from './tables.ts';

export const ledgerSlice = defineSlice({ name: 'ledger', tables });
