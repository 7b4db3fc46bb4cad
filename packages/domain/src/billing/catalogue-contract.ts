import { z } from 'zod';
import { defineContract, noCustomer } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { anyone } from '../kernel/permissions.ts';

const text = (maximum = 255) => z.string().max(maximum);
const open = { permission: anyone, context: noCustomer, kind: 'query' } as const;

/** A product of the self-service purchase as its page shows it. */
export const sspProduct = z
  .object({
    name: z.string().nullable().describe('Title of the academy.'),
    longName: z.string().nullable().describe('Longer title.'),
    description: z.string().nullable().describe('What the academy is about.'),
    marketingUrl: z.string().nullable().describe('Page about the product.'),
    thumbnailUrl: z.string().nullable().describe('Address of the picture.'),
    tags: z.array(z.string()).describe('Subjects.'),
    price: z.string().nullable().describe('US dollars with two decimals; null if unknown.'),
    lookupKey: z.string().describe('Key of the price at Stripe.'),
    slug: z.string().describe('Identifies the product.'),
  })
  .meta({ title: 'SspProduct' });

const ofProducts = { ...open, throttle: { scope: 'ssp_product', perHour: 120 } } as const;

export const listSspProducts = defineContract({
  summary: 'Essentials products that can be bought, by slug.',
  ...ofProducts,
  rest: { method: 'GET', path: '/api/v1/ssp-products/' },
  input: z.object({
    includePricing: text(32)
      .optional()
      .describe('`false`, `0` or `no` leaves the prices out; any other value means yes.'),
  }),
  output: z.object({ products: z.array(sspProduct).describe('In the order of their slugs.') }),
  errors: [],
});

export const getSspProduct = defineContract({
  summary: 'One Essentials product, without its price.',
  ...ofProducts,
  rest: { method: 'GET', path: '/api/v1/ssp-products/{product}/' },
  input: z.object({ product: text().describe('Slug, or key of the price at Stripe.') }),
  output: sspProduct,
  errors: [],
});

/** An academy as it is sold. */
export const academyProduct = z
  .object({
    id: z.string().describe('The first of Stripe product, product key, slug and uuid that there is.'),
    name: z.string().describe('Name of the academy.'),
    longName: z.string().describe('Longer name, or the name.'),
    description: z.string().describe('What it is about.'),
    marketingUrl: z.string().describe('Page about it; may be empty.'),
    thumbnailUrl: z.string().describe('Address of the picture; may be empty.'),
    tags: z.array(z.string()).describe('Subjects.'),
    stripeProductId: z.string().describe('Product at Stripe; may be empty.'),
    catalogQueryId: z.int().nullable().describe('Query of its catalog.'),
    prices: z
      .array(
        z
          .object({
            id: z.string().describe('Price at Stripe.'),
            product: z.string().describe('Product at Stripe.'),
            lookupKey: z.string().describe('Key of the price.'),
            currency: z.string().describe('Lower case.'),
            unitAmount: z.int().describe('US cents, or the smallest unit of the currency.'),
            unitAmountDecimal: z.string().describe('The same in whole units, without zeros at the end.'),
            recurring: z
              .object({
                interval: z.string().describe('Such as `year`.'),
                intervalCount: z.int().describe('Number of intervals.'),
                usageType: z.string().describe('`licensed`.'),
              })
              .nullable()
              .describe('How often it is paid.'),
          })
          .meta({ title: 'AcademyPrice' }),
      )
      .describe('One price, or none.'),
  })
  .meta({ title: 'AcademyProduct' });
export type AcademyProduct = z.infer<typeof academyProduct>;

/** The old form of the request to import academies; a public list never does that. */
export const syncNotSupported = defineError({
  code: 'sync_not_supported',
  status: 400,
  message: 'sync=true is not supported on this public endpoint.',
  details: z.object({}),
});

const academies = { ...open, throttle: { scope: 'academy_unauthenticated', perHour: 120 } } as const;
const ACADEMIES = '/api/v1/academy-products/';
const sync = { sync: text(32).optional().describe('Refused if it is `true`: nothing is imported here.') };

export const listAcademyProducts = defineContract({
  summary: 'Academies that can be bought, in the order of their pages.',
  ...academies,
  rest: { method: 'GET', path: ACADEMIES },
  input: z.object({
    academyUuid: text(64).optional().describe('Only this academy.'),
    productKey: text().optional().describe('Only the academy with this key.'),
    tag: z.array(text()).max(50).optional().describe('Only academies with all of these tags.'),
    includeInactive: text(32).optional().describe('`true` adds academies that are not sold now.'),
    ...sync,
  }),
  output: z.object({ academies: z.array(academyProduct).describe('All of them, in one page.') }),
  errors: [syncNotSupported],
});

export const getAcademyProduct = defineContract({
  summary: 'One academy, sold now or not.',
  ...academies,
  rest: { method: 'GET', path: `${ACADEMIES}{academy}/` },
  input: z.object({ academy: text().describe('Slug, product key, Stripe product or uuid.'), ...sync }),
  output: academyProduct,
  errors: [syncNotSupported],
});
