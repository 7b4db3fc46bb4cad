import { defineSlice } from '../kernel/slice.ts';
import { auditJob, reconcileJob } from './jobs.ts';

export const booksSlice = defineSlice({
  name: 'books',
  jobs: [
    { job: reconcileJob, cron: '* * * * *' },
    { job: auditJob, cron: '17 3 * * *' },
  ],
});
