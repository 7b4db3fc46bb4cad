import { implementJob } from '../kernel/jobs/job.ts';
import { defineSlice } from '../kernel/slice.ts';
import * as contract from './contract.ts';
import { onWriteExport, writeExport } from './export-job.ts';
import { permissions, roles } from './permissions.ts';
import { audit } from './router.ts';
import { ownerOfEntry, ownerOfExport, ownerOfSubject } from './store.ts';
import { tables } from './tables.ts';

const { exportEntries, exportPart, followups, get, list, timeline } = contract;
const { auditActor, auditChange, auditEntry, followup, timelineItem } = contract;

export const auditSlice = defineSlice({
  name: 'audit',
  tables,
  namespaces: {
    audit: {
      tag: 'Who changed what, from where and why.',
      router: audit,
      contracts: { export: exportEntries, exportPart, followups, get, list, timeline },
      models: { auditActor, auditChange, auditEntry, auditFollowup: followup, auditTimelineItem: timelineItem },
    },
  },
  permissions: Object.values(permissions),
  roles,
  owners: {
    auditEntry: { find: ownerOfEntry, remembered: true },
    auditSubject: { find: ownerOfSubject, remembered: true },
    auditExport: { find: ownerOfExport, remembered: false },
  },
  jobs: [implementJob(writeExport, onWriteExport)],
});
