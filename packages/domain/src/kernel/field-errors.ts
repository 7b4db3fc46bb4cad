import type { z } from 'zod';
import { clipped } from './clip.ts';
import type { FieldErrors } from './errors.ts';
import { snakeCase } from './wire.ts';

type Issue = z.core.$ZodIssue;

const NAMES_OF_TYPES: Readonly<Record<string, string>> = {
  int: 'A valid integer is required.',
  number: 'A valid number is required.',
  boolean: 'Must be a valid boolean.',
  string: 'Not a valid string.',
  array: 'Expected a list of items.',
  object: 'Invalid data. Expected a dictionary.',
  record: 'Expected a dictionary of items.',
  date: 'Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].',
};

/** Never asks the value itself how it reads: a caller's object can bring a `toString` that is no function. */
const textOf = (value: unknown): string => (typeof value === 'object' ? (JSON.stringify(value) ?? '') : String(value));

/** The sentence that the old services' callers know for what zod found. */
function sentence(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'This field is required.';
      if (issue.input === null) return 'This field may not be null.';
      return NAMES_OF_TYPES[issue.expected] ?? issue.message;
    case 'invalid_value':
      if (issue.input === undefined) return 'This field is required.';
      if (issue.input === null) return 'This field may not be null.';
      return `"${clipped(textOf(issue.input))}" is not a valid choice.`;
    case 'invalid_format':
      if (issue.format === 'guid' || issue.format === 'uuid') return 'Must be a valid UUID.';
      if (issue.format === 'email') return 'Enter a valid email address.';
      return issue.message;
    case 'too_small':
      if (issue.origin === 'array') return 'This list may not be empty.';
      if (issue.origin === 'string') return 'This field may not be blank.';
      return `Ensure this value is greater than or equal to ${String(issue.minimum)}.`;
    case 'too_big':
      if (issue.origin === 'string') return `Ensure this field has no more than ${String(issue.maximum)} characters.`;
      if (issue.origin === 'array') return `Ensure this field has no more than ${String(issue.maximum)} elements.`;
      return `Ensure this value is less than or equal to ${String(issue.maximum)}.`;
    default:
      return issue.message;
  }
}

interface Building {
  [field: string]: string[] | Building;
}

function put(target: Building, path: readonly string[], message: string): void {
  const [head = 'non_field_errors', ...rest] = path;
  const existing = Object.hasOwn(target, head) ? target[head] : undefined;
  if (rest.length === 0 || Array.isArray(existing)) {
    if (Array.isArray(existing)) existing.push(message);
    else if (existing === undefined) target[head] = [message];
    return;
  }
  const child: Building = existing ?? {};
  target[head] = child;
  put(child, rest, message);
}

/** What is wrong, by field, under the names of the wire. */
export function fieldErrors(error: z.ZodError): FieldErrors {
  const fields: Building = {};
  for (const issue of error.issues) {
    if (issue.code === 'unrecognized_keys') {
      put(fields, [], `Field(s) are not updatable: ${clipped([...issue.keys].sort().join(', '))}`);
    } else {
      put(
        fields,
        issue.path.map((part) => (typeof part === 'number' ? String(part) : clipped(snakeCase(String(part))))),
        sentence(issue),
      );
    }
  }
  return fields;
}
