import { defineSlice } from '../kernel/slice.ts';
import { tables } from './tables.ts';

export const mailSlice = defineSlice({ name: 'mail', tables });
