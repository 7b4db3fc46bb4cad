import { z } from 'zod';
import type { FieldErrors } from '../../kernel/errors.ts';
import type { LegacyForm } from '../../kernel/legacy.ts';

/** Messages about a field without a value. */
const MISSING = ['This field is required.', 'This field may not be null.', 'This field may not be blank.'];

const isMissing = (messages: FieldErrors[string] | undefined): boolean =>
  Array.isArray(messages) && messages.some((message) => MISSING.includes(message));

const withoutValue = (field: string): string =>
  `Required field "${field}" missing or missing value in retirement request"`;

export const legacy: Readonly<Record<string, LegacyForm>> = {
  retireUser: {
    errors: {
      invalid_input: {
        body: z.looseObject({ detail: z.string().optional() }).meta({
          title: 'RetirementRefusal',
          description: '`detail` for a field without a value, else messages by field.',
        }),
        encode: ({ fields }: { fields: FieldErrors }) => {
          const missing = ['lms_user_id', 'original_username'].find((field) => isMissing(fields[field]));
          return missing === undefined ? fields : { detail: withoutValue(missing) };
        },
      },
      not_found: { body: z.undefined(), encode: () => undefined },
    },
  },
};
