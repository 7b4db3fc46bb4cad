import { defineSlice } from '../kernel/slice.ts';
import { events } from './events.ts';
import { tables } from './tables.ts';

export const ledgerSlice = defineSlice({ name: 'ledger', tables, events });
