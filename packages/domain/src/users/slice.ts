import { defineSlice } from '../kernel/slice.ts';
import { tables } from './tables.ts';

export const usersSlice = defineSlice({ name: 'users', tables });
