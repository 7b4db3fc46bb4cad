import type { FastifyInstance } from 'fastify';
import { catalogRecord } from './courses.ts';
import { many, paged, type Query } from './envelope.ts';
import type { State } from './state.ts';

const MAXIMUM_KEYS = 100;

export async function catalog(app: FastifyInstance, { state }: { state: State }): Promise<void> {
  const catalogs = () => new Set([...state.customers.values()].map(({ catalogUuid }) => catalogUuid));
  const notFound = { detail: 'Not found.' };

  for (const version of ['v1', 'v2']) {
    app.get<{ Params: { uuid: string } }>(`/api/${version}/enterprise-catalogs/:uuid/contains_content_items/`, async (request, reply) => {
      if (!catalogs().has(request.params.uuid)) return reply.code(404).send(notFound);
      const keys = many((request.query as Query).course_run_ids);
      if (keys.length === 0) {
        return reply.code(400).send(['You must provide at least one of the following query parameters: course_run_ids, program_uuids.']);
      }
      return { contains_content_items: keys.some((key) => state.courses.has(key)) };
    });
  }

  app.get<{ Params: { uuid: string } }>('/api/v2/enterprise-catalogs/:uuid/get_content_metadata/', async (request, reply) => {
    if (!catalogs().has(request.params.uuid)) return reply.code(404).send(notFound);
    const keys = many((request.query as Query).content_keys);
    if (keys.length > MAXIMUM_KEYS) return reply.code(400).send(`At most ${MAXIMUM_KEYS} content keys.`);
    const found = keys.length > 0 ? keys.flatMap((key) => state.courses.get(key) ?? []) : [...new Set(state.courses.values())];
    return { ...paged(request, found.map(catalogRecord), 10, 100), uuid: request.params.uuid };
  });

  app.get<{ Params: { key: string } }>('/api/v1/content-metadata/:key', async (request, reply) => {
    const found = state.courses.get(request.params.key);
    return found ? catalogRecord(found) : reply.code(404).send(notFound);
  });

  app.get<{ Params: { uuid: string; key: string } }>('/api/v2/enterprise-customer/:uuid/content-metadata/:key/', async (request, reply) => {
    const found = state.customers.has(request.params.uuid) ? state.courses.get(request.params.key) : undefined;
    return found ? catalogRecord(found) : reply.code(404).send({ detail: 'No matching content in any catalog for this customer' });
  });
}
