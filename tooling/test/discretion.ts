/** Patterns that must not occur in log lines and error replies. */
const SECRETS: Readonly<Record<string, RegExp>> = {
  'an e-mail address': /[\w.+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}/i,
  'a token': /\beyJ[\w-]{10,}\.[\w-]{10,}/,
  SQL: /\b(insert into|delete from|select .{1,200}? from|update) [`"\\]+\w+[`"\\]+/i,
};

/** Patterns that must not occur in success replies either; those can contain personal data. */
const ALWAYS_SECRET = ['a token', 'SQL'];

/** The kind of secret in a text, or null. */
export function indiscretion(text: string, kinds: readonly string[] = Object.keys(SECRETS)): string | null {
  return kinds.find((kind) => SECRETS[kind]?.test(text)) ?? null;
}

/** Contacts in a refusal are allowed (R-RED-13). */
const CONTACTS = /"enterprise_administrators":\[.*?\]/g;
/** What refusals about named learners say is in the request: their addresses as the caller gave them. */
const ECHOED =
  /"unsuccessful_revocations":\[\{.*?\}\]|"unsuccessfulRevocations":\[\{.*?\}\]|that are associated with the email: [^"]+|"userEmail":"[^"]+"/g;

/** The kind of secret in a reply, or null. */
export const indiscretionOfReply = (status: number, body: string): string | null =>
  status >= 400 ? indiscretion(body.replace(CONTACTS, '').replace(ECHOED, '')) : indiscretion(body, ALWAYS_SECRET);
