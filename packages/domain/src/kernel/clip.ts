const LONGEST_ECHO = 100;

/** Truncates a caller's text before it is repeated in a message. */
export const clipped = (text: string, length = LONGEST_ECHO): string =>
  text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text;
