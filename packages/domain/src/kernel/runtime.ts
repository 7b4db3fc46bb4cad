import type { Database } from '@enterprise-access/db';
import type { JobRunView } from './jobs/view.ts';
import type { Watch } from './jobs/watch.ts';
import type { Catalog } from './ports/catalog.ts';
import type { Clock } from './ports/clock.ts';
import type { Customers } from './ports/customers.ts';
import type { Files } from './ports/files.ts';
import type { Ledger } from './ports/ledger.ts';
import type { Lms } from './ports/lms.ts';
import type { Mail } from './ports/mail.ts';
import type { PlanProvisioning } from './ports/plan-provisioning.ts';
import type { Stripe } from './ports/stripe.ts';
import type { Subscriptions } from './ports/subscriptions.ts';
import type { Settings } from './settings.ts';
import type { WorkflowOf } from './workflow.ts';

/** The log. Never write e-mail addresses, tokens or SQL to it. */
export interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** All dependencies of use cases. A use case declares the parts that it uses. */
export interface Runtime {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly lms: Lms;
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly mail: Mail;
  readonly stripe: Stripe;
  /** Plans and renewals of licences. */
  readonly subscriptions: Subscriptions;
  readonly customers: Customers;
  readonly plans: PlanProvisioning;
  readonly files: Files;
  readonly settings: Settings;
  /** Progress of long jobs. */
  readonly jobRuns: Watch<JobRunView>;
  /** The customer that owns a resource of a kind declared by a slice; null if it does not exist. */
  readonly ownerOf: OwnerOf;
  readonly workflowOf: WorkflowOf;
}

export type OwnerOf = (kind: string, uuid: string) => Promise<string | null> | string | null;
