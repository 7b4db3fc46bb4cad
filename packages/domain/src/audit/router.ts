import { procedure, router } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import { exportEntries, exportPart } from './export.ts';
import * as service from './service.ts';
import { viewerOf } from './service.ts';

export const audit = router({
  /** Who changed what, newest first. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, viewerOf(ctx), input)),
  /** One entry of the audit trail, and its changes page by page. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, viewerOf(ctx), input)),
  /** The life of one thing in sentences. */
  timeline: procedure(contract.timeline).query(({ ctx, input }) => service.timeline(ctx.runtime, viewerOf(ctx), input)),
  /** Jobs and events that followed from one call. */
  followups: procedure(contract.followups).query(({ ctx, input }) =>
    service.followups(ctx.runtime, viewerOf(ctx), input),
  ),
  /** Write the entries of a filter to a file, by a job. */
  export: procedure(contract.exportEntries).mutation(({ ctx, input }) =>
    exportEntries(ctx.runtime, viewerOf(ctx), input),
  ),
  /** One part of an export. */
  exportPart: procedure(contract.exportPart).query(({ ctx, input }) => exportPart(ctx.runtime, viewerOf(ctx), input)),
});
