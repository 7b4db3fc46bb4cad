import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { listOf, mapListing, paginate } from './envelope.ts';
import { iso, notFound, parseBody, queryOf, Refusal } from './http.ts';
import { customerRecord } from './lms-records.ts';
import { addCustomer, folded, putLink } from './lms-store.ts';
import type { SandboxState } from './state.ts';

const API = '/enterprise/api/v1';

const newCustomer = z.object({
  name: z.string().min(1).max(255),
  slug: z.string().regex(/^[-\w]+$/),
  country: z.string().length(2),
  site: z.object({ domain: z.string().min(1) }),
});
const administrator = z.object({ enterprise_customer_uuid: z.uuid(), email: z.email() });
const invitation = z.object({ enterprise_customer: z.uuid(), user_email: z.email() });
const newCatalog = z.object({
  enterprise_customer: z.uuid(),
  title: z.string().min(1),
  enterprise_catalog_query: z.coerce.number().int(),
});

/** What provisioning asks of the LMS: customers, their administrators and catalogs. */
export function lmsCustomerRoutes(app: FastifyInstance, state: SandboxState): void {
  const customerOf = (uuid: string | undefined) => state.lms.customers.get(uuid ?? '');

  // LMS-03
  app.post(`${API}/enterprise-customer/`, (request, reply) => {
    const { name, slug, country } = parseBody(newCustomer, request.body);
    if (state.lms.customersBySlug.has(slug))
      throw new Refusal(400, { slug: ['enterprise customer with this slug already exists.'] });
    const customer = addCustomer(state.lms, {
      uuid: randomUUID(),
      name,
      slug,
      country,
      contactEmail: null,
      emailDomain: `${slug}.example`,
      catalogUuids: [],
      modified: state.now(),
    });
    reply.code(201).send(customerRecord(customer));
  });

  // LMS-09
  app.post(`${API}/enterprise-customer-admin/create_admin_by_email/`, (request, reply) => {
    const { enterprise_customer_uuid: uuid, email } = parseBody(administrator, request.body);
    const customer = customerOf(uuid);
    const account = state.lms.accountsByEmail.get(folded(email));
    if (!customer || !account) throw notFound();
    const isKnown = customer.admins.has(account.lmsUserId);
    putLink(state.lms, customer, account, 'enterprise_admin', state.now());
    reply.code(isKnown ? 200 : 201).send({
      uuid: randomUUID(),
      enterprise_customer_user: account.lmsUserId,
      last_login: null,
      completed_tour_flows: [],
      onboarding_tour_dismissed: false,
      onboarding_tour_completed: false,
    });
  });

  // LMS-07
  app.get(`${API}/pending-enterprise-admin/`, (request, reply) => {
    const uuid = queryOf(request).one('enterprise_customer') ?? '';
    const invited = [...(state.provisioning.invited.get(uuid) ?? [])];
    const record = (email: string) => ({
      id: invited.indexOf(email) + 1,
      enterprise_customer: uuid,
      user_email: email,
    });
    reply.send(paginate(request, mapListing(listOf(invited), record)));
  });

  // LMS-08
  app.post(`${API}/pending-enterprise-admin/`, (request, reply) => {
    const { enterprise_customer: uuid, user_email: email } = parseBody(invitation, request.body);
    if (!customerOf(uuid)) throw new Refusal(400, { enterprise_customer: ['Invalid pk: object does not exist.'] });
    const invited = state.provisioning.invited.get(uuid) ?? new Set();
    if (invited.has(folded(email)))
      throw new Refusal(400, { non_field_errors: ['The fields must make a unique set.'] });
    state.provisioning.invited.set(uuid, invited.add(folded(email)));
    reply.code(201).send({ id: invited.size, enterprise_customer: uuid, user_email: email });
  });

  // LMS-10
  app.get(`${API}/enterprise_catalogs/`, (request, reply) => {
    const query = queryOf(request);
    const [uuid, queryId] = [query.one('enterprise_customer'), query.one('enterprise_catalog_query')];
    const found = state.provisioning.catalogs.filter(
      (each) =>
        each.enterprise_customer === uuid &&
        (queryId === undefined || each.enterprise_catalog_query === Number(queryId)),
    );
    const times = { created: iso(state.now()), modified: iso(state.now()) };
    reply.send(
      paginate(
        request,
        mapListing(listOf(found), (each) => ({ ...each, ...times })),
      ),
    );
  });

  // LMS-11
  app.post(`${API}/enterprise_customer_catalog/`, (request, reply) => {
    const body = parseBody(newCatalog, request.body);
    const customer = customerOf(body.enterprise_customer);
    if (!customer) throw new Refusal(400, { enterprise_customer: ['Invalid pk: object does not exist.'] });
    const known = state.provisioning.catalogs.find(
      (each) =>
        each.enterprise_customer === body.enterprise_customer &&
        each.enterprise_catalog_query === body.enterprise_catalog_query,
    );
    const made = known ?? { uuid: randomUUID(), ...body };
    if (!known) {
      state.provisioning.catalogs.push(made);
      customer.catalogUuids.push(made.uuid);
    }
    reply.code(known ? 200 : 201).send(made);
  });
}

const association = z.object({ enterprise_catalog_uuid: z.uuid() });

/** What provisioning asks of enterprise-catalog. */
export function academyRoutes(app: FastifyInstance, state: SandboxState): void {
  app.post<{ Params: { uuid: string } }>('/api/v1/academies/:uuid/associate-catalog/', (request, reply) => {
    const { enterprise_catalog_uuid: catalog } = parseBody(association, request.body);
    state.provisioning.academies.add(`${request.params.uuid} ${catalog}`);
    reply.send({});
  });
}
