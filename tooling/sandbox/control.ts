import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type Course, course } from './courses.ts';
import { faultSpec } from './faults.ts';
import { reverse } from './ledger.ts';
import { parseBody, Refusal } from './refusal.ts';
import type { Sandbox } from './sandbox.ts';
import { putLearner } from './state.ts';

const courseBody = z.object({
  key: z.string().min(1),
  runKey: z.string().min(1).optional(),
  title: z.string().optional(),
  price: z.number().min(0).max(10_000_000).optional(),
  enrollBy: z
    .string()
    .refine((text) => !Number.isNaN(Date.parse(text)), 'is not a time')
    .nullable()
    .optional(),
  removed: z.boolean().optional(),
});

const learnerBody = z.object({
  lmsUserId: z.number().int().min(1),
  email: z.email().optional(),
  customerUuid: z.string(),
  groups: z.array(z.string()).optional(),
  linked: z.boolean().optional(),
});

const reversalBody = z.object({ transactionUuid: z.string() });

/** Where tests and demos change the world; needs no token and suffers no faults. */
export async function control(app: FastifyInstance, { sandbox }: { sandbox: Sandbox }): Promise<void> {
  app.put('/faults', async (request) => {
    sandbox.faults.put(parseBody(faultSpec, request.body));
    return { faults: sandbox.faults.specs() };
  });
  app.get('/faults', async () => ({ faults: sandbox.faults.specs() }));
  app.delete('/faults', async (_request, reply) => {
    sandbox.faults.clear();
    return reply.code(204).send();
  });

  app.get('/requests', async () => Object.fromEntries(sandbox.requests));
  app.delete('/requests', async (_request, reply) => {
    sandbox.requests.clear();
    return reply.code(204).send();
  });

  app.post('/reset', async (_request, reply) => {
    sandbox.reset();
    return reply.code(204).send();
  });

  app.put('/courses', async (request, reply) => {
    const { removed, price, ...given } = parseBody(courseBody, request.body);
    const { courses } = sandbox.world;
    if (removed) {
      courses.remove(given.key);
      return reply.code(204).send();
    }
    const known = courses.find(given.key)?.course;
    const item = { ...(known ?? course({ key: given.key })), ...definedOf(given) };
    return courses.put(price === undefined ? item : { ...item, priceCents: Math.round(price * 100) }).course;
  });

  app.put('/learners', async (request) => {
    const link = putLearner(sandbox.world, parseBody(learnerBody, request.body));
    if (!link) throw new Refusal(400, { customerUuid: ['There is no such customer.'] });
    const { user, customer, groups, linked } = link;
    return { lmsUserId: user.id, email: user.email, customerUuid: customer.uuid, groups: [...groups], linked };
  });

  app.post('/reversals', async (request) => {
    const { transactionUuid } = parseBody(reversalBody, request.body);
    const row = sandbox.world.transactions.get(transactionUuid);
    const owner = row && sandbox.world.subsidies.values().find((each) => each.byKey.get(row.idempotency_key) === row);
    if (!row || !owner) throw new Refusal(404, { detail: 'Not found.' });
    return reverse(owner, row, Date.now());
  });
}

type Given = { readonly [K in 'runKey' | 'title' | 'enrollBy']?: Course[K] | undefined };

/** Only what was given: an absent value must not overwrite a known one. */
const definedOf = (given: Given): Partial<Course> => ({
  ...(given.runKey === undefined ? {} : { runKey: given.runKey }),
  ...(given.title === undefined ? {} : { title: given.title }),
  ...(given.enrollBy === undefined ? {} : { enrollBy: given.enrollBy }),
});
