import { z } from 'zod';

/**
 * Text with known values to which new ones may come: a client that checks replies must not refuse those. Documents show
 * the known values under the key that OpenAPI tools have agreed on, clients get them as an open union.
 */
export const openEnum = (values: readonly string[]) => z.string().meta({ 'x-extensible-enum': [...values] });
