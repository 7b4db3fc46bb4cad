import { z } from 'zod';

/**
 * A string with known values that can be extended: clients must accept unknown values. The OpenAPI document lists the
 * known values as `x-extensible-enum`, SDKs get an open union.
 */
export const openEnum = (values: readonly string[]) => z.string().meta({ 'x-extensible-enum': [...values] });
