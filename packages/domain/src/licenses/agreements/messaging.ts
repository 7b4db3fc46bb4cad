import sanitizeHtml from 'sanitize-html';
import type { FieldErrors } from '../../kernel/errors.ts';
import type { ExpirationMessaging } from '../tables.ts';

const COLOR = [
  /^#[0-9a-f]{3,8}$/i,
  /^[a-z]{3,30}$/i,
  /^rgba?\(\s*\d{1,3}%?\s*,\s*\d{1,3}%?\s*,\s*\d{1,3}%?\s*(,\s*[\d.]{1,5}\s*)?\)$/i,
];
const TAGS = ['a', 'abbr', 'acronym', 'b', 'blockquote', 'code', 'em', 'i', 'li', 'ol', 'strong', 'ul', 'span'];

/**
 * Reduces HTML to inline markup that is safe in a page (R-LIC-18). Text of forbidden elements stays, except of those
 * whose content is no text. Links keep their target if it is a web address.
 */
export const cleanHtml = (html: string): string =>
  sanitizeHtml(html, {
    allowedTags: TAGS,
    allowedAttributes: { '*': ['class', 'id', 'style'], a: ['href', 'rel'] },
    allowedSchemes: ['http', 'https', 'mailto'],
    allowProtocolRelative: false,
    allowedStyles: { '*': { color: COLOR, 'font-weight': [/^(normal|bold|bolder|lighter|[1-9]00)$/] } },
    transformTags: { a: sanitizeHtml.simpleTransform('a', { rel: 'nofollow' }) },
  });

const WEB = /^https?:\/\//i;
const isWebAddress = (text: string): boolean => WEB.test(text) && URL.canParse(text);

/** Why texts for expirations cannot be stored, by field; null if they can (R-LIC-18). */
export function messagingProblems(messaging: ExpirationMessaging): FieldErrors | null {
  const texts = {
    modal_header_text: messaging.headerText,
    expired_subscription_modal_messaging: messaging.message,
    button_label_in_modal: messaging.buttonLabel,
    url_for_button_in_modal: messaging.buttonUrl,
  };
  const isBlank = (value: string | null): boolean => value === null || value === '';
  const problem: (value: string | null) => string | null = messaging.isEnabled
    ? (value) => (isBlank(value) ? 'This field is required for a custom message.' : null)
    : (value) => (isBlank(value) ? null : 'This field must be blank without a custom message.');
  const problems = Object.entries(texts).flatMap(([field, value]): [string, string[]][] => {
    const found = problem(value);
    return found === null ? [] : [[field, [found]]];
  });
  const { buttonUrl } = messaging;
  if (problems.length === 0 && buttonUrl !== null && buttonUrl !== '' && !isWebAddress(buttonUrl))
    problems.push(['url_for_button_in_modal', ['The URL must begin with http:// or https://.']]);
  return problems.length === 0 ? null : Object.fromEntries(problems);
}
