/** The maximum depth of free-form JSON, plus the levels around it in a request. */
const MAXIMUM_DEPTH = 100;
/** The longest list that a contract accepts has half as many items. */
const MAXIMUM_VALUES = 100_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Index of the quote that ends the string which begins at `start`; the end of the text if there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

/**
 * Whether JSON text is nested deeper, or has more values, than any operation needs. Checked before parsing: parsing
 * and walking millions of tiny arrays blocks the process for seconds, counting brackets takes milliseconds.
 */
export function isOutOfBounds(text: string): boolean {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) at = endOfString(text, at);
    else if (character === COMMA) values += 1;
    else if (OPEN.has(character)) {
      depth += 1;
      values += 1;
      if (depth > MAXIMUM_DEPTH) return true;
    } else if (CLOSE.has(character)) depth -= 1;
    if (values > MAXIMUM_VALUES) return true;
  }
  return false;
}
