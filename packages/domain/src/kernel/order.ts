import { z } from 'zod';

/** One term of an order. */
export interface OrderTerm<F extends string = string> {
  readonly field: F;
  readonly direction: 'asc' | 'desc';
}

/** Input field for the sort order of a list: comma-separated names, with a minus sign for descending. */
export const ordering = (fields: readonly string[], fallback: string) =>
  z
    .string()
    .max(255)
    .default(fallback)
    .meta({ 'x-extensible-enum': fields.flatMap((field) => [field, `-${field}`]) })
    .describe('Sort order: comma-separated names, with a minus sign for descending. Unknown names are ignored.');

/** Parses an order: known fields, each once; `fallback` if there are none. */
export function orderTerms<F extends string>(
  text: string,
  fields: readonly F[],
  fallback: OrderTerm<F>,
): readonly [OrderTerm<F>, ...OrderTerm<F>[]] {
  const terms = new Map<F, OrderTerm<F>>();
  for (const name of text.split(',').map((each) => each.trim())) {
    const isDescending = name.startsWith('-');
    const field = fields.find((each) => each === (isDescending ? name.slice(1) : name));
    if (field !== undefined && !terms.has(field)) terms.set(field, { field, direction: isDescending ? 'desc' : 'asc' });
  }
  const [first = fallback, ...others] = terms.values();
  return [first, ...others];
}
