import { z } from 'zod';
import { defineSettings, flag } from '../../kernel/settings.ts';

declare module '../../kernel/settings.ts' {
  interface Settings {
    /** Customers whose learners are unlinked when their plan expired long ago. */
    readonly customersToUnlink: readonly string[];
    /** Customers for which half a year of use is announced. */
    readonly customersWithHalfYearEvents: readonly string[];
    /** Catalogs that may have a query of their own. */
    readonly customCatalogs: readonly string[];
    /** Whether jobs may make up customers, plans and licences. */
    readonly isDemoDataAllowed: boolean;
  }
}

/** Uuids, separated by commas. */
const uuids = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim().toLowerCase())
      .filter(Boolean),
  )
  .pipe(z.array(z.guid()));

export const lifecycleSettings = defineSettings({
  customersToUnlink: {
    variable: 'CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED',
    schema: uuids.describe(
      'Customers, separated by commas, whose learners are unlinked 90 days after their plan expired.',
    ),
  },
  customersWithHalfYearEvents: {
    variable: 'CUSTOMERS_WITH_CUSTOM_LICENSE_EVENTS',
    schema: uuids.describe('Customers, separated by commas, for which 180 days of use of a licence are announced.'),
  },
  customCatalogs: {
    variable: 'CUSTOM_CATALOG_PRODUCTS_ALLOW_LIST',
    schema: uuids.describe('Catalogs, separated by commas, that may have a query of their own.'),
  },
  isDemoDataAllowed: {
    variable: 'ALLOW_DEMO_DATA',
    schema: flag.default(false).describe('Let jobs make up customers, plans and licences; not in production.'),
  },
});
