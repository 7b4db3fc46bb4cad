import type { Database } from '@enterprise-access/db';
import type { JobRunView } from './jobs/view.ts';
import type { Watch } from './jobs/watch.ts';
import type { Catalog } from './ports/catalog.ts';
import type { Clock } from './ports/clock.ts';
import type { Ledger } from './ports/ledger.ts';
import type { Lms } from './ports/lms.ts';
import type { Mail } from './ports/mail.ts';
import type { Settings } from './settings.ts';

/** What is written where operators look. Never an e-mail address, a token or SQL. */
export interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
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
  /** The customer that something belongs to, by the kind of thing that slices declare; null when it does not exist. */
  readonly ownerOf: OwnerOf;
}

export type OwnerOf = (kind: string, uuid: string) => Promise<string | null> | string | null;
