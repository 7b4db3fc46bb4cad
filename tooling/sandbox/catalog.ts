import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { CourseEntry } from './courses.ts';
import { pageOf } from './envelope.ts';
import { queryOf } from './query.ts';
import { Refusal } from './refusal.ts';
import type { Sandbox } from './sandbox.ts';
import type { SeedCustomer } from './seed.ts';
import type { World } from './state.ts';

const MAXIMUM_KEYS = 100;
const JSON_TYPE = 'application/json; charset=utf-8';

interface WithUuid {
  Params: { uuid: string };
}

/** The enterprise catalog; every catalog holds every course. */
export async function catalog(app: FastifyInstance, { sandbox }: { sandbox: Sandbox }): Promise<void> {
  for (const version of ['v1', 'v2']) {
    app.get<WithUuid>(`/api/${version}/enterprise-catalogs/:uuid/contains_content_items`, async (request) => {
      catalogOwner(sandbox.world, request.params.uuid);
      const query = queryOf(request);
      const keys = query.contentKeys('course_run_ids');
      if (keys.length === 0 && query.all('program_uuids').length === 0) {
        throw new Refusal(400, [
          'You must provide at least one of the following query parameters: course_run_ids, program_uuids.',
        ]);
      }
      return { contains_content_items: keys.some((key) => sandbox.world.courses.find(key) !== undefined) };
    });

    app.get<WithUuid>(`/api/${version}/enterprise-catalogs/:uuid/get_content_metadata`, async (request) =>
      contentMetadata(sandbox.world, request, catalogOwner(sandbox.world, request.params.uuid)),
    );
  }

  app.get<{ Params: { id: string } }>('/api/v1/content-metadata/:id', async (request, reply) => {
    const entry = sandbox.world.courses.find(request.params.id);
    if (!entry) throw new Refusal(404, { detail: 'No ContentMetadata matches the given query.' });
    // The flag is any text that is not empty, even "False".
    const coerce = Boolean(queryOf(request).one('coerce_to_parent_course'));
    const asRun = !coerce && (request.params.id === entry.course.runKey || request.params.id === entry.runUuid);
    return reply.type(JSON_TYPE).send(asRun ? entry.runJson : entry.courseJson);
  });

  app.get<{ Params: { customer: string; id: string } }>(
    '/api/v2/enterprise-customer/:customer/content-metadata/:id',
    async (request, reply) => {
      const { customer, id } = request.params;
      const entry = sandbox.world.customers.has(customer) ? sandbox.world.courses.find(id) : undefined;
      if (!entry) throw new Refusal(404, { detail: 'No matching content in any catalog for this customer' });
      return reply.type(JSON_TYPE).send(entry.courseJson);
    },
  );
}

function catalogOwner(world: World, uuid: string): SeedCustomer {
  const customer = world.customersByCatalog.get(uuid);
  if (!customer) throw new Refusal(404, { detail: 'Not found.' });
  return customer;
}

/** The catalog's courses, or those of the keys given: in pages, or in one piece when traversing (CAT-02, CAT-03). */
function contentMetadata(world: World, request: FastifyRequest, owner: SeedCustomer) {
  const query = queryOf(request);
  const keys = query.contentKeys('content_keys');
  if (keys.length > MAXIMUM_KEYS) throw new Refusal(400, `No more than ${MAXIMUM_KEYS} content_keys may be requested.`);
  const entries = keys.length > 0 ? distinct(keys, world) : world.courses.list();
  const page = query.flag('traverse_pagination')
    ? { previous: null, next: null, count: entries.length, results: entries.map(({ record }) => record) }
    : pageOf(request, entries, ({ record }) => record);
  return { ...page, uuid: owner.catalogUuid, title: `${owner.name} Catalog`, enterprise_customer: owner.uuid };
}

const distinct = (keys: readonly string[], world: World): readonly CourseEntry[] => [
  ...new Set(keys.flatMap((key) => world.courses.find(key) ?? [])),
];
