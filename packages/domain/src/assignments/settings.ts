import { z } from 'zod';
import { defineSettings } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Lowest price of an allocation, as a part of the catalog's price (R-POL-14). */
    readonly allocationPriceLowerRatio: number;
    /** Highest price of an allocation, as a part of the catalog's price (R-POL-14). */
    readonly allocationPriceUpperRatio: number;
  }
}

export const settings = defineSettings({
  allocationPriceLowerRatio: {
    variable: 'ALLOCATION_PRICE_VALIDATION_LOWER_BOUND_RATIO',
    schema: z.coerce
      .number()
      .min(0)
      .max(1)
      .default(0.95)
      .describe('Minimum price of an allocation, as a fraction of the catalog’s price.'),
  },
  allocationPriceUpperRatio: {
    variable: 'ALLOCATION_PRICE_VALIDATION_UPPER_BOUND_RATIO',
    schema: z.coerce
      .number()
      .min(1)
      .max(100)
      .default(1.05)
      .describe('Maximum price of an allocation, as a fraction of the catalog’s price.'),
  },
});
