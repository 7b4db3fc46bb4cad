import { defineSlice } from '../kernel/slice.ts';
import { pinged } from './consumers.ts';
import { expireJob } from './jobs.ts';

export const housekeepingSlice = defineSlice({
  name: 'housekeeping',
  jobs: [{ job: expireJob, cron: '41 2 * * *' }],
  consumers: [pinged],
});
