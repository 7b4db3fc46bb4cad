const LONGEST_ECHO = 100;

/** A caller's text as it may stand in a message: cut off where nobody would read on. */
export const clipped = (text: string, length = LONGEST_ECHO): string =>
  text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text;
