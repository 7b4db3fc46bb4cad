import { z } from 'zod';
import type { Customers, FoundCustomer } from '../kernel/ports/customers.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';

const customer = z.object({ uuid: z.string(), name: z.string(), slug: z.string(), country: z.string().nullish() });
const customers = z.object({ results: z.array(customer) });
const learners = z.object({
  next: z.string().nullish(),
  results: z.array(z.object({ user: z.object({ email: z.string() }).nullish() })),
});
const pending = z.object({ next: z.string().nullish(), results: z.array(z.object({ user_email: z.string() })) });
const catalog = z.object({
  uuid: z.string(),
  title: z.string(),
  enterprise_customer: z.string(),
  // Some releases of the LMS answer with text.
  enterprise_catalog_query: z.coerce.number(),
});
const catalogs = z.object({ results: z.array(catalog) });
const anything = z.unknown();

const MAXIMUM_PAGES = 200;
const PAGE_SIZE = 100;

const foundCustomer = ({ country, ...found }: z.infer<typeof customer>): FoundCustomer => ({
  ...found,
  uuid: found.uuid.toLowerCase(),
  country: country ?? '',
});

const foundCatalog = (found: z.infer<typeof catalog>) => ({
  uuid: found.uuid.toLowerCase(),
  enterpriseCustomerUuid: found.enterprise_customer.toLowerCase(),
  title: found.title,
  catalogQueryId: found.enterprise_catalog_query,
});

/** All pages of a list of the LMS. */
async function allPages<T>(read: (page: number) => Promise<{ next?: string | null | undefined; results: T[] }>) {
  const all: T[] = [];
  for (let page = 1; page <= MAXIMUM_PAGES; page += 1) {
    const { next, results } = await read(page);
    all.push(...results);
    if (!next) return all;
  }
  throw new UpstreamFailure('lms', 'has more administrators of a customer than can be read');
}

export interface CustomerServices {
  readonly lms: Upstream;
  readonly catalog: Upstream;
  /** Site of new customers. */
  readonly siteDomain: string;
}

export const httpCustomers = ({ lms, catalog: catalogService, siteDomain }: CustomerServices): Customers => ({
  async bySlug(slug) {
    const { results } = await lms({
      path: path`/enterprise/api/v1/enterprise-customer/`,
      query: { slug },
      reply: customers,
    });
    const found = results.find((each) => each.slug === slug);
    return found ? foundCustomer(found) : null;
  },

  create: async (created) =>
    foundCustomer(
      await lms({
        method: 'POST',
        path: path`/enterprise/api/v1/enterprise-customer/`,
        about: [created.slug],
        body: {
          name: created.name,
          slug: created.slug,
          country: created.country,
          enable_analytics_screen: false,
          enable_portal_subscription_management_screen: true,
          site: { domain: siteDomain },
        },
        reply: customer,
      }),
    ),

  async administrators(customerUuid) {
    const found = await allPages((page) =>
      lms({
        path: path`/enterprise/api/v1/enterprise-learner/`,
        query: { enterprise_customer_uuid: customerUuid, role: 'enterprise_admin', page, page_size: PAGE_SIZE },
        reply: learners,
      }),
    );
    return found.flatMap(({ user }) => (user ? [user.email] : []));
  },

  async invitedAdministrators(customerUuid) {
    const found = await allPages((page) =>
      lms({
        path: path`/enterprise/api/v1/pending-enterprise-admin/`,
        query: { enterprise_customer: customerUuid, page, page_size: PAGE_SIZE },
        reply: pending,
      }),
    );
    return found.map(({ user_email: email }) => email);
  },

  async addAdministrator(customerUuid, email) {
    try {
      await lms({
        method: 'POST',
        path: path`/enterprise/api/v1/enterprise-customer-admin/create_admin_by_email/`,
        repeatable: true,
        about: [email],
        body: { enterprise_customer_uuid: customerUuid, email },
        reply: anything,
      });
      return 'added';
    } catch (error) {
      if (error instanceof UpstreamRefusal && error.status === 404) return 'noAccount';
      throw error;
    }
  },

  async inviteAdministrator(customerUuid, email) {
    try {
      await lms({
        method: 'POST',
        path: path`/enterprise/api/v1/pending-enterprise-admin/`,
        repeatable: true,
        about: [email],
        body: { enterprise_customer: customerUuid, user_email: email },
        reply: anything,
      });
    } catch (error) {
      // The LMS refuses a second invitation.
      if (!(error instanceof UpstreamRefusal && error.status === 400)) throw error;
    }
  },

  async catalog(customerUuid, catalogQueryId) {
    const { results } = await lms({
      path: path`/enterprise/api/v1/enterprise_catalogs/`,
      query: { enterprise_customer: customerUuid, enterprise_catalog_query: catalogQueryId },
      reply: catalogs,
    });
    const [found] = results;
    return found ? foundCatalog(found) : null;
  },

  createCatalog: async ({ enterpriseCustomerUuid, title, catalogQueryId }) =>
    foundCatalog(
      await lms({
        method: 'POST',
        path: path`/enterprise/api/v1/enterprise_customer_catalog/`,
        repeatable: true,
        about: [enterpriseCustomerUuid],
        body: { enterprise_customer: enterpriseCustomerUuid, title, enterprise_catalog_query: catalogQueryId },
        reply: catalog,
      }),
    ),

  async associateAcademy(academyUuid, catalogUuid) {
    await catalogService({
      method: 'POST',
      path: path`/api/v1/academies/${academyUuid}/associate-catalog/`,
      repeatable: true,
      about: [academyUuid],
      body: { enterprise_catalog_uuid: catalogUuid },
      reply: anything,
    });
  },
});
