import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Catalog, Course } from './content.ts';
import { contentId, findContent, findForCustomer } from './content.ts';
import { courseRecord, runRecord } from './content-record.ts';
import { listOf, mapListing, paginate, paginatePlain } from './envelope.ts';
import type { Query } from './http.ts';
import { isTrue, notFound, parseBody, queryOf, Refusal } from './http.ts';
import type { SandboxState } from './state.ts';

const MAX_KEYS = 100;
const catalogList = z.object({ enterprise_catalog_uuids: z.array(z.uuid()).min(1) });
const NO_KEYS = 'You must provide at least one of the following query parameters: course_run_ids, program_uuids.';

type ByUuid = { Params: { uuid: string } };
type ById = { Params: { id: string } };
type ByCustomer = { Params: { customer: string; id: string } };

/** Academies that Essentials products sell. */
const academies = [
  {
    uuid: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1',
    title: 'AI Academy',
    long_description: 'Artificial intelligence for everybody at work.',
    short_description: 'AI at work.',
    image: 'academies/ai.png',
    tags: [
      { id: 1, title: 'AI' },
      { id: 2, title: 'Technology' },
    ],
  },
  {
    uuid: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2',
    title: 'Data Academy',
    long_description: 'Data that speak.',
    short_description: 'Data.',
    image: 'https://images.example/data.png',
    tags: [{ id: 3, title: 'Data' }],
  },
];

/** enterprise-catalog: CAT-01 to 04 and 07 to 09. */
export function catalogRoutes(app: FastifyInstance, state: SandboxState): void {
  const catalogOf = (uuid: string): Catalog => {
    const catalog = state.content.catalogs.get(uuid);
    if (!catalog) throw notFound();
    return catalog;
  };

  function contains(catalog: Catalog, id: string, version: 'v1' | 'v2'): boolean {
    const found = findContent(state.content, id);
    if (!found || !catalog.courseKeys.has(found.course.key)) return false;
    // No sandbox catalog query allows restricted runs, and only v2 knows of them.
    return version === 'v1' || !found.isRun || found.run.restrictionType === null;
  }

  function recordOf(id: string, query: Query) {
    const found = findContent(state.content, id);
    if (!found) return undefined;
    // Any text switches this on, even "false": that is what the service does.
    const coerce = Boolean(query.one('coerce_to_parent_course'));
    return found.isRun && !coerce ? runRecord(found.course, found.run) : courseRecord(found.course);
  }

  function coursesIn(catalog: Catalog, keys: readonly string[]): Course[] {
    const courses = new Set<Course>();
    for (const key of keys) {
      const course = findContent(state.content, key)?.course;
      if (course && catalog.courseKeys.has(course.key)) courses.add(course);
    }
    return [...courses];
  }

  const allCoursesOf = (catalog: Catalog) => ({
    count: catalog.courseKeys.size,
    rows: (start: number, size: number) =>
      [...catalog.courseKeys.values().drop(start).take(size)].flatMap((key) => state.content.courses.get(key) ?? []),
  });

  // Each sandbox catalog has a query of its own.
  app.post('/api/v1/distinct-catalog-queries/', (request, reply) => {
    const { enterprise_catalog_uuids: uuids } = parseBody(catalogList, request.body);
    const known = uuids.filter((uuid) => state.content.catalogs.has(uuid));
    reply.send({
      num_distinct_query_ids: known.length,
      catalog_uuids_by_catalog_query_id: Object.fromEntries(known.map((uuid, at) => [String(at + 1), [uuid]])),
    });
  });

  for (const version of ['v1', 'v2'] as const) {
    app.get<ByUuid>(`/api/${version}/enterprise-catalogs/:uuid/contains_content_items/`, (request, reply) => {
      const query = queryOf(request);
      const keys = [...query.many('course_run_ids'), ...query.many('program_uuids')];
      const catalog = catalogOf(request.params.uuid);
      if (keys.length === 0) throw new Refusal(400, [NO_KEYS]);
      reply.send({ contains_content_items: keys.some((key) => contains(catalog, key, version)) });
    });

    app.get<ByUuid>(`/api/${version}/enterprise-catalogs/:uuid/get_content_metadata/`, (request, reply) => {
      const query = queryOf(request);
      const catalog = catalogOf(request.params.uuid);
      const keys = query.many('content_keys');
      if (keys.length > MAX_KEYS) throw new Refusal(400, `At most ${MAX_KEYS} content_keys are allowed per request.`);
      const owner = { uuid: catalog.uuid, title: catalog.title, enterprise_customer: catalog.customerUuid };
      const listing = keys.length > 0 ? listOf(coursesIn(catalog, keys)) : allCoursesOf(catalog);
      const records = mapListing(listing, courseRecord);
      if (isTrue(query.one('traverse_pagination'))) {
        const results = records.rows(0, records.count);
        reply.send({ previous: null, next: null, count: results.length, ...owner, results });
      } else {
        reply.send({ ...paginate(request, records), ...owner });
      }
    });
  }

  app.get<ByUuid>('/api/v1/enterprise-catalogs/:uuid', (request, reply) => {
    const { uuid, title, customerUuid } = catalogOf(request.params.uuid);
    reply.send({ uuid, title, enterprise_customer: customerUuid });
  });

  app.get('/api/v1/academies/', (request, reply) => {
    const wanted = queryOf(request).one('academy_uuid');
    reply.send(paginate(request, listOf(academies.filter(({ uuid }) => wanted === undefined || wanted === uuid))));
  });
  app.get<ByUuid>('/api/v1/academies/:uuid/', (request, reply) => {
    const found = academies.find(({ uuid }) => uuid === request.params.uuid);
    if (!found) throw notFound();
    reply.send(found);
  });
  app.get('/api/v1/enterprise-catalogs/', (request, reply) => {
    const customer = queryOf(request).one('enterprise_customer');
    const own = [...state.content.catalogs.values()].filter(({ customerUuid }) => customerUuid === customer);
    reply.send(paginate(request, listOf(own.map(({ uuid, title }) => ({ uuid, title, catalog_query_id: 41 })))));
  });

  app.get('/api/v1/content-metadata/', (request, reply) => {
    const query = queryOf(request);
    const ids = query.many('content_identifiers').flatMap((text) => text.split(','));
    const listing = query.has('content_identifiers')
      ? listOf([...new Set(ids)].flatMap((id) => recordOf(id, query) ?? []))
      : mapListing(listOf([...state.content.courses.values()]), courseRecord);
    reply.send(paginatePlain(request, listing));
  });

  app.get<ById>('/api/v1/content-metadata/:id', (request, reply) => {
    const record = recordOf(contentId(request.params.id), queryOf(request));
    if (!record) throw notFound();
    reply.send(record);
  });

  for (const version of ['v1', 'v2']) {
    app.get<ByCustomer>(`/api/${version}/enterprise-customer/:customer/content-metadata/:id`, (request, reply) => {
      const found = findForCustomer(state.content, request.params.customer, request.params.id);
      if (!found) throw notFound('No matching content in any catalog for this customer');
      reply.send(courseRecord(found.course));
    });
  }
}
