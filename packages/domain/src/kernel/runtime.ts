import type { Database } from '@enterprise-access/db';
import type { ContextSource } from './contract.ts';
import type { JobRunView } from './jobs/view.ts';
import type { Watch } from './jobs/watch.ts';
import type { Catalog } from './ports/catalog.ts';
import type { Clock } from './ports/clock.ts';
import type { Ledger } from './ports/ledger.ts';
import type { Lms } from './ports/lms.ts';
import type { Mail } from './ports/mail.ts';

/** What is written where operators look. Never an e-mail address, a token or SQL. */
export interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface Settings {
  /** Public address of this service; part of links in replies. */
  readonly publicUrl: string;
  readonly lmsUrl: string;
  /** Root of the learner portal, for links in mails; null where there is none. */
  readonly learnerPortalUrl: string | null;
  /** Where clients read transactions: ours, or the enterprise-subsidy service. */
  readonly subsidyUrl: string;
  readonly allowDeactivationWithSpend: boolean;
  /** Whether everybody who was invited to a group is reminded every day, for trying mails out. */
  readonly remindsAllInvited: boolean;
  /** Whether our ledger gives value back when learners leave courses early. */
  readonly refundsUnenrolments: boolean;
  readonly allocationPriceLowerRatio: number;
  readonly allocationPriceUpperRatio: number;
}

/** Everything that a use case may need. A use case asks for the few parts that it uses. */
export interface Runtime {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly lms: Lms;
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly mail: Mail;
  readonly settings: Settings;
  /** Long jobs, to be followed. */
  readonly jobRuns: Watch<JobRunView>;
  /** The customer that something belongs to, by the kind of thing; null when it does not exist. */
  readonly ownerOf: Readonly<
    Record<Exclude<ContextSource['from'], 'customer'>, (uuid: string) => Promise<string | null> | string | null>
  >;
}
