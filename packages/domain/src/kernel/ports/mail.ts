import type { z } from 'zod';

/** Name of the variable with the id of a mail campaign. Slices declare theirs. */
export type Campaign = `BRAZE_${string}_CAMPAIGN`;

/** Somebody to write to. With an LMS user id the address and the account become one person at the mail service. */
export interface Recipient {
  readonly email: string;
  readonly lmsUserId: number | null;
}

/** A kind of mail as data: which campaign, and which properties its text is filled with. */
export interface MailKind<P extends z.ZodObject = z.ZodObject> {
  /** `slice.whatItSays`. */
  readonly name: string;
  readonly campaign: Campaign;
  /** Named as the texts of the campaign name them. */
  readonly properties: P;
}

export const defineMail = <P extends z.ZodObject>(kind: MailKind<P>) => kind;

/** One mail to one or more people. */
export interface Letter<P extends z.ZodObject = z.ZodObject> {
  /** Customer that the mail is about. */
  readonly enterpriseCustomerUuid: string;
  /**
   * What makes this mail the same mail: one person gets one mail of a kind and key, however often it is sent. The thing
   * that it is about, and the occasion: `assignment:uuid-of-the-reminder`, `group:member:day`.
   */
  readonly key: string;
  readonly recipients: readonly Recipient[];
  readonly properties: z.input<P>;
}

/** What became of a letter. */
export interface Receipt {
  /** People who get it from this call. */
  readonly sent: number;
  /** People who had it before. */
  readonly repeated: number;
  /** People whom the mail service does not take; the others got theirs. */
  readonly refused: readonly Recipient[];
}

/** Sends mails. What throws may be repeated, with the same key: nobody gets it twice. */
export interface Mail {
  /** Whether the kind has a campaign. */
  canSend(kind: Pick<MailKind, 'campaign'>): boolean;
  /**
   * Throws `MailRefused` when the service takes none of the recipients, `MailOff` without a campaign, and
   * `UpstreamFailure` or `MailInDoubt` when it is to be tried again later.
   */
  send<P extends z.ZodObject>(kind: MailKind<P>, letter: Letter<P>): Promise<Receipt>;
}

/** There is no campaign for this mail here, or no mail service at all. */
export class MailOff extends Error {
  override readonly name = 'MailOff';
  constructor(kind: Pick<MailKind, 'campaign'>) {
    super(`${kind.campaign} is not set`);
  }
}

/** The mail service judged the mail and takes it for none of its recipients; it would not tomorrow either. */
export class MailRefused extends Error {
  override readonly name = 'MailRefused';
}

/** An earlier attempt may be on its way, so that another one would risk a second mail. It is known a minute later. */
export class MailInDoubt extends Error {
  override readonly name = 'MailInDoubt';
}
