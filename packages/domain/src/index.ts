export { linkAccount } from './assignments/index.ts';
export { receiveStripeEvent, seedBilling, WebhookRefused } from './billing/index.ts';
export { auditBooks, auditDrift, type Discrepancy } from './books/index.ts';
export { decisionsStored } from './decisions/index.ts';
export { watchJobRuns } from './jobs/index.ts';
export type { Actor, Grant } from './kernel/actor.ts';
export { type Cache, processCache } from './kernel/cache/cache.ts';
export { memcached, type SharedStore } from './kernel/cache/memcached.ts';
export { sharedCache } from './kernel/cache/shared-cache.ts';
export type { Call, RpcContext } from './kernel/call.ts';
export { clipped } from './kernel/clip.ts';
export { type Composition, compose, type Model, type Operation, type StreamOperation } from './kernel/compose.ts';
export { type Consumer, consumerOf, UnusableEvent } from './kernel/consumer.ts';
export { type Contract, DEFAULT_BODY_LIMIT_BYTES, type StreamContract, type Throttle } from './kernel/contract.ts';
export * from './kernel/errors.ts';
export { FROM_BODY, filterErrors } from './kernel/field-errors.ts';
export { newUuid } from './kernel/ids.ts';
export { type Attempt, runJob } from './kernel/jobs/attempt.ts';
export { defineJob, enqueue, implementJob, type Job, type JobContract, type JobRun } from './kernel/jobs/job.ts';
export type { LegacyReply, QueryName, RestRequest } from './kernel/legacy.ts';
export { publicUrlOf } from './kernel/links.ts';
export { LAST_PAGE } from './kernel/page.ts';
export type { Permission } from './kernel/permissions.ts';
export type { Catalog, Content } from './kernel/ports/catalog.ts';
export { type Clock, systemClock } from './kernel/ports/clock.ts';
export type { Files, LocalFiles } from './kernel/ports/files.ts';
export type { Customer, Learner, Lms } from './kernel/ports/lms.ts';
export { type Mail, MailInDoubt, MailOff, MailRefused, type Recipient } from './kernel/ports/mail.ts';
export { UpstreamFailure, UpstreamRefusal } from './kernel/ports/upstream.ts';
export { pythonType } from './kernel/python.ts';
export { withRequestId } from './kernel/request-scope.ts';
export { callOfProcedure, domainErrorOf, INTERNAL_ERROR } from './kernel/rpc.ts';
export { codeOfStatus } from './kernel/rpc-codes.ts';
export type { Log, Runtime } from './kernel/runtime.ts';
export { definitionOf, fieldOf, type Side, shapeOf, unwrapInput } from './kernel/schema.ts';
export { flag, type Settings } from './kernel/settings.ts';
export { defineSlice, type Slice } from './kernel/slice.ts';
export { storageProblemOf } from './kernel/storable.ts';
export {
  cacheLookup,
  circuitChanged,
  memcachedTroubled,
  redemptionDecided,
  stripeEventSeen,
  upstreamCalled,
} from './kernel/telemetry.ts';
export { transformer } from './kernel/transformer.ts';
export { camelCase, queryDecoder, snakeCase, timesAsText, wireCodec } from './kernel/wire.ts';
export { defineWorkflow, type Workflow } from './kernel/workflow.ts';
export { depositEntry, embeddedLedger, insertTransaction, storedReservations } from './ledger/index.ts';
export { localPlans, localSubscriptions } from './licenses/index.ts';
export { mailDelivery } from './mail/index.ts';
export { countPendingBefore, reconcile } from './redemptions/index.ts';
export * from './service.ts';
export { slices } from './slices.ts';
export { apiKey, httpBraze } from './upstreams/braze.ts';
export { httpCatalog } from './upstreams/catalog.ts';
export { httpCustomers } from './upstreams/customers.ts';
export { upstream } from './upstreams/http.ts';
export { httpSubscriptions } from './upstreams/license-manager.ts';
export { httpPlans } from './upstreams/license-manager-plans.ts';
export { httpLms } from './upstreams/lms.ts';
export { localFiles } from './upstreams/local-files.ts';
export { s3Files } from './upstreams/s3-files.ts';
export { httpStripe } from './upstreams/stripe.ts';
export { httpLedger } from './upstreams/subsidy.ts';
export { serviceToken } from './upstreams/token.ts';
export { findUser, insertUser, type UserAttributes, type UserWithRole, updateUser } from './users/index.ts';
export { advance as advanceWorkflow, start as startWorkflow } from './workflow/index.ts';
