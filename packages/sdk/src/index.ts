export { ApiPromise } from './call.ts';
export {
  AbortedError,
  ConnectionError,
  DeclaredError,
  EnterpriseAccessError,
  type FieldErrors,
  HttpError,
  type HttpErrorDetails,
  type NoDetails,
  RequestError,
  TimeoutError,
  type TimeoutErrorDetails,
  UnreadableReplyError,
} from './errors.ts';
export type * from './generated/agreements.ts';
export type * from './generated/assignments.ts';
export type * from './generated/audit.ts';
export type * from './generated/billing.ts';
export type * from './generated/bulkEnrollment.ts';
export * from './generated/client.ts';
export * from './generated/errors.ts';
export type * from './generated/groups.ts';
export type * from './generated/jobs.ts';
export type * from './generated/learnerCreditRequests.ts';
export type * from './generated/ledger.ts';
export type * from './generated/licenses.ts';
export type * from './generated/models.ts';
export type * from './generated/plans.ts';
export type * from './generated/policies.ts';
export type * from './generated/privacy.ts';
export type * from './generated/products.ts';
export type * from './generated/provisioning.ts';
export type * from './generated/redemptions.ts';
export type * from './generated/renewals.ts';
export type * from './generated/requestConfigurations.ts';
export type * from './generated/workflows.ts';
export type {
  Attempt,
  CallOptions,
  ClientOptions,
  Fetch,
  Hooks,
  Logger,
  MutationOptions,
  Outcome,
  Serializer,
} from './options.ts';
export { type ItemsOf, List, type Page } from './page.ts';
export type { Reply } from './send.ts';
export { Subscription } from './stream.ts';
