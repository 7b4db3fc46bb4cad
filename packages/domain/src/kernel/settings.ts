import { z } from 'zod';

/** Settings of the service. Slices add their own to this interface by declaration merging (`defineSettings`). */
export interface Settings {
  /** Public URL of this service; prefix of links in replies. */
  readonly publicUrl: string;
  readonly lmsUrl: string;
  /** Base URL of the learning front end; null if not configured. */
  readonly learningUrl: string | null;
  /** Base URL of the learner portal, for links in mails; null if not configured. */
  readonly learnerPortalUrl: string | null;
  /** Base URL of the administrators’ portal, for links in replies and mails; null if not configured. */
  readonly adminPortalUrl: string | null;
  /** Base URL for links to transactions: this service, or enterprise-subsidy. */
  readonly subsidyUrl: string;
}

/** A boolean variable: true, false, 1 or 0. */
export const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');

/** An environment variable and its setting. */
export interface Setting {
  readonly variable: string;
  /** Must have a default; its description is used in the table of variables. */
  readonly schema: z.ZodType;
}

/** Declares settings of a slice by name. */
export const defineSettings = <const S extends Readonly<Record<string, Setting>>>(settings: S): S => settings;
