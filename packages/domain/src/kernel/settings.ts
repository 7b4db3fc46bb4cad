import { z } from 'zod';

/**
 * What operators decide about this service. Slices add their own settings to this interface beside the declaration of
 * the variables (`defineSettings`).
 */
export interface Settings {
  /** Public address of this service; part of links in replies. */
  readonly publicUrl: string;
  readonly lmsUrl: string;
  /** Root of the learning front end, where courses are taken; null where there is none. */
  readonly learningUrl: string | null;
  /** Root of the learner portal, for links in mails; null where there is none. */
  readonly learnerPortalUrl: string | null;
  /** Where clients read transactions: ours, or the enterprise-subsidy service. */
  readonly subsidyUrl: string;
}

/** A variable that switches something: true, false, 1 or 0. */
export const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');

/** An environment variable and the setting that it becomes. */
export interface Setting {
  readonly variable: string;
  /** Has a default, so that nobody is forced to know it; its description is the row of the table of variables. */
  readonly schema: z.ZodType;
}

/** Declares settings of a slice by the names under which its use cases read them. */
export const defineSettings = <const S extends Readonly<Record<string, Setting>>>(settings: S): S => settings;
