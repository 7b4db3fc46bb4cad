export { type AppRouter, appRouter } from './app-router.ts';
export { linkAccount } from './assignments/index.ts';
export { consumers } from './consumer-registry.ts';
export { type Model, models, type Operation, operations, type StreamOperation, streams } from './contracts.ts';
export { jobs } from './job-registry.ts';
export { watchJobRuns } from './jobs/index.ts';
export * from './kernel/actor.ts';
export { type Cache, processCache } from './kernel/cache.ts';
export type { Call, RpcContext } from './kernel/call.ts';
export { type Clock, systemClock } from './kernel/clock.ts';
export { type Consumer, consumerOf, UnusableEvent } from './kernel/consumer.ts';
export { type Contract, DEFAULT_BODY_LIMIT_BYTES, type StreamContract } from './kernel/contract.ts';
export * from './kernel/errors.ts';
export {
  cacheAsked,
  circuitChanged,
  memcachedTroubled,
  redemptionDecided,
  upstreamCalled,
} from './kernel/happenings.ts';
export { newUuid } from './kernel/ids.ts';
export { defineJob, enqueue, implementJob, type Job, type JobContract, type JobRun } from './kernel/job.ts';
export { type Attempt, runJob } from './kernel/job-attempt.ts';
export type { LegacyReply, QueryName, RestRequest } from './kernel/legacy.ts';
export { publicUrlOf } from './kernel/links.ts';
export { memcached, type SharedStore } from './kernel/memcached.ts';
export { grantedTo, type Permission } from './kernel/permissions.ts';
export { withRequestId } from './kernel/request-scope.ts';
export { callOfProcedure, domainErrorOf, INTERNAL_ERROR } from './kernel/rpc.ts';
export { codeOfStatus } from './kernel/rpc-codes.ts';
export type { Log, Runtime, Settings } from './kernel/runtime.ts';
export { sharedCache } from './kernel/shared-cache.ts';
export { flawOf } from './kernel/storable.ts';
export { camelCase, queryDecoder, snakeCase, unwrapInput, wireCodec } from './kernel/wire.ts';
export { depositEntry, embeddedLedger } from './ledger/embedded.ts';
export { insertTransaction } from './ledger/entries.ts';
export { storedReservations } from './ledger/reservations.ts';
export { recordedMail } from './mail/index.ts';
export { ownersIn } from './owners.ts';
export { auditBooks, auditDrift, countPendingBefore, type Discrepancy, reconcile } from './redemptions/index.ts';
export { apiKey, httpBraze } from './upstreams/braze.ts';
export { type Catalog, type Content, httpCatalog } from './upstreams/catalog.ts';
export { UpstreamFailure, UpstreamRefusal, upstream } from './upstreams/http.ts';
export { type Customer, httpLms, type Learner, type Lms } from './upstreams/lms.ts';
export { type Mail, MailInDoubt, MailOff, MailRefused, type Recipient } from './upstreams/mail.ts';
export { type Campaign, campaigns, campaignVariables } from './upstreams/mail-campaigns.ts';
export { httpLedger } from './upstreams/subsidy.ts';
export { serviceToken } from './upstreams/token.ts';
