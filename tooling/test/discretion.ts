/** What neither a log line nor a refusal may hold. */
const SECRETS: Readonly<Record<string, RegExp>> = {
  'an e-mail address': /[\w.+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}/i,
  'a token': /\beyJ[\w-]{10,}\.[\w-]{10,}/,
  SQL: /\b(insert into|delete from|select .{1,200}? from|update) [`"\\]+\w+[`"\\]+/i,
};

/** Only these may not be in the reply to a successful call either: some replies are lists of people. */
const ALWAYS_SECRET = ['a token', 'SQL'];

/** What a text gives away, or null. */
export function indiscretion(text: string, kinds: readonly string[] = Object.keys(SECRETS)): string | null {
  return kinds.find((kind) => SECRETS[kind]?.test(text)) ?? null;
}

/** A refused learner is told whom to ask (R-RED-13). */
const CONTACTS = /"enterprise_administrators":\[.*?\]/g;

/** What the reply to a call gives away, or null. */
export const indiscretionOfReply = (status: number, body: string): string | null =>
  status >= 400 ? indiscretion(body.replace(CONTACTS, '')) : indiscretion(body, ALWAYS_SECRET);
