import type { z } from 'zod';

/** Name of the variable with the id of a mail campaign. Declared in the slices. */
export type Campaign = `BRAZE_${string}_CAMPAIGN`;

/** A recipient. With an LMS user id, the mail service merges the address and the account into one profile. */
export interface Recipient {
  readonly email: string;
  readonly lmsUserId: number | null;
  /** Attributes to set on the profile, such as the language. */
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** Properties of the template that differ among the recipients. */
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** Declares a kind of mail as data: its campaign and the properties of its template. */
export interface MailKind<P extends z.ZodObject = z.ZodObject> {
  /** For example `assignments.reminded`. */
  readonly name: string;
  readonly campaign: Campaign;
  /** Property names as in the template of the campaign. */
  readonly properties: P;
  /** Names of the properties that differ among the recipients. */
  readonly ofRecipient?: z.ZodObject;
}

export const defineMail = <P extends z.ZodObject>(kind: MailKind<P>) => kind;

/** One mail to one or more people. */
export interface MailMessage<P extends z.ZodObject = z.ZodObject> {
  /** Customer that the mail is about; null before the customer exists. */
  readonly enterpriseCustomerUuid: string | null;
  /**
   * Idempotency key: a person gets at most one mail per kind and key. Made of the object and the occasion, such as
   * `group:member:day`.
   */
  readonly key: string;
  readonly recipients: readonly Recipient[];
  readonly properties: z.input<P>;
}

/** Result of sending. */
export interface Receipt {
  /** Recipients who get the mail from this call. */
  readonly sent: number;
  /** Recipients who got it before. */
  readonly repeated: number;
  /** Recipients whom the mail service rejected; the others got the mail. */
  readonly refused: readonly Recipient[];
}

/** Port to the mail service. After an error it is safe to retry with the same key. */
export interface Mail {
  /** Whether the kind has a campaign. */
  canSend(kind: Pick<MailKind, 'campaign'>): boolean;
  /**
   * Throws `MailRefused` if the service rejects all recipients, `MailOff` without a campaign, and `UpstreamFailure`
   * or `MailInDoubt` if it should be retried later.
   */
  send<P extends z.ZodObject>(kind: MailKind<P>, mail: MailMessage<P>): Promise<Receipt>;
}

/** No campaign is configured for this mail, or no mail service. */
export class MailOff extends Error {
  override readonly name = 'MailOff';
  constructor(kind: Pick<MailKind, 'campaign'>) {
    super(`${kind.campaign} is not set`);
  }
}

/** The mail service rejected the mail for all recipients. A retry is useless. */
export class MailRefused extends Error {
  override readonly name = 'MailRefused';
}

/**
 * The result of an earlier attempt is unknown, so sending again could send the mail twice. Retry after a minute, when
 * the result can be queried.
 */
export class MailInDoubt extends Error {
  override readonly name = 'MailInDoubt';
}
