import type { z } from 'zod';
import { clipped } from './clip.ts';
import type { FieldErrors } from './errors.ts';
import { pythonType } from './python.ts';
import { definitionOf, fieldAt } from './schema.ts';
import { snakeCase } from './wire.ts';

type Issue = z.core.$ZodIssue;

const SENTENCES: Readonly<Record<string, (input: unknown) => string>> = {
  int: () => 'A valid integer is required.',
  number: () => 'A valid number is required.',
  boolean: () => 'Must be a valid boolean.',
  string: () => 'Not a valid string.',
  array: (input) => `Expected a list of items but got type "${pythonType(input)}".`,
  object: (input) => `Invalid data. Expected a dictionary, but got ${pythonType(input)}.`,
  record: (input) => `Expected a dictionary of items but got type "${pythonType(input)}".`,
  date: () =>
    'Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].',
};

const OUT_OF_RANGE = 'Datetime value out of range.';

/** Does not call `toString` of the value: in a caller's object it might not be a function. */
const textOf = (value: unknown): string => (typeof value === 'object' ? (JSON.stringify(value) ?? '') : String(value));

/** The old services report an empty uuid as malformed, not as blank. */
const isUuid = (issue: Issue): boolean =>
  issue.code === 'invalid_format' && (issue.format === 'guid' || issue.format === 'uuid');
const isBlank = (issue: Issue): boolean =>
  typeof issue.input === 'string' &&
  issue.input.trim() === '' &&
  (issue.code === 'custom' || issue.code === 'too_small' || (issue.code === 'invalid_format' && !isUuid(issue)));

const isInteger = (field: z.ZodType | null): boolean => field !== null && definitionOf(field).format === 'safeint';

/** The message of the old services for a zod issue. */
function sentence(issue: Issue, field: z.ZodType | null): string {
  if (isBlank(issue)) return 'This field may not be blank.';
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'This field is required.';
      if (issue.input === null) return 'This field may not be null.';
      return SENTENCES[isInteger(field) ? 'int' : issue.expected]?.(issue.input) ?? issue.message;
    case 'invalid_value':
      if (issue.input === undefined) return 'This field is required.';
      if (issue.input === null) return 'This field may not be null.';
      return `"${clipped(textOf(issue.input))}" is not a valid choice.`;
    case 'invalid_format':
      if (isUuid(issue)) return 'Must be a valid UUID.';
      if (issue.format === 'email') return 'Enter a valid email address.';
      return issue.message;
    case 'too_small':
      if (issue.origin === 'date') return OUT_OF_RANGE;
      if (issue.origin === 'array') return 'This list may not be empty.';
      if (issue.origin === 'string') return 'This field may not be blank.';
      return `Ensure this value is greater than or equal to ${String(issue.minimum)}.`;
    case 'too_big':
      if (issue.origin === 'date') return OUT_OF_RANGE;
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

/** Prefix of a body field that must come from the path; strict contracts reject it and report its name. */
export const FROM_BODY = 'body:';

/** Keeps only the type error of a path: zod also reports, for example, the length of a list that should be text. */
const first = ({ issues }: z.ZodError): readonly Issue[] => {
  const wrongTypes = new Map(
    issues.filter(({ code }) => code === 'invalid_type').map((issue) => [issue.path.join('/'), issue]),
  );
  return issues.filter((issue) => (wrongTypes.get(issue.path.join('/')) ?? issue) === issue);
};

/** Validation errors by field, with wire names. */
export function fieldErrors(error: z.ZodError, schema: z.ZodType): FieldErrors {
  const fields: Building = {};
  for (const issue of first(error)) {
    if (issue.code === 'unrecognized_keys') {
      const names = issue.keys.map((name) => name.replace(FROM_BODY, ''));
      put(fields, [], `Field(s) are not updatable: ${clipped(names.sort().join(', '))}`);
    } else {
      put(
        fields,
        issue.path.map((part) => (typeof part === 'number' ? String(part) : clipped(snakeCase(String(part))))),
        sentence(issue, fieldAt(schema, issue.path)),
      );
    }
  }
  return fields;
}

function filterSentence(issue: Issue, field: z.ZodType | null): string {
  if (issue.code === 'invalid_type' && field !== null && definitionOf(field).type === 'number')
    return 'Enter a number.';
  if (issue.code === 'invalid_value')
    return `Select a valid choice. ${textOf(issue.input)} is not one of the available choices.`;
  return isUuid(issue) ? 'Enter a valid UUID.' : sentence(issue, field);
}

/**
 * Validation errors of list filters, with the messages of the old services: one list of messages per query parameter.
 * `nameOf` returns the parameter that set a field.
 */
export function filterErrors(
  error: z.ZodError,
  schema: z.ZodType,
  nameOf: (field: string) => string,
): Record<string, string[]> {
  const fields: Record<string, string[]> = {};
  for (const issue of first(error)) {
    const [head] = issue.path;
    const name = head === undefined ? 'non_field_errors' : nameOf(String(head));
    const message = filterSentence(issue, fieldAt(schema, issue.path));
    const messages = Object.hasOwn(fields, name) ? (fields[name] ?? []) : [];
    if (!messages.includes(message)) fields[name] = [...messages, message];
  }
  return fields;
}
