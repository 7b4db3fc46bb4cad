import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Course } from './courses.ts';
import { fault, type Faults } from './faults.ts';
import { addCourse, removeCourse, reseed, type State } from './state.ts';

const courseChange = z.union([
  z.object({ key: z.string(), removed: z.literal(true) }),
  z.object({ key: z.string(), runKey: z.string(), title: z.string().default('Untitled'), price: z.number().min(0), enrollBy: z.string().nullable().default(null) }),
]);

const learnerChange = z.object({
  lmsUserId: z.int(),
  email: z.string(),
  customerUuid: z.string(),
  groups: z.array(z.string()).default([]),
  linked: z.boolean().default(true),
});

export interface ControlOptions {
  readonly state: State;
  readonly faults: Faults;
  readonly requests: Map<string, number>;
  readonly courses: readonly Course[];
}

/** How tests tell the stand-ins what to do, and ask what they were asked. */
export async function control(app: FastifyInstance, { state, faults, requests, courses }: ControlOptions): Promise<void> {
  app.put('/faults', async (request) => {
    faults.add(fault.parse(request.body));
    return {};
  });
  app.delete('/faults', async () => {
    faults.clear();
    return {};
  });
  app.get('/requests', async () => Object.fromEntries(requests));
  app.delete('/requests', async () => {
    requests.clear();
    return {};
  });
  app.get('/enrollments', async () => Object.fromEntries(state.enrollments));
  app.post('/reset', async () => {
    reseed(state, courses);
    faults.clear();
    requests.clear();
    return {};
  });
  app.put('/courses', async (request) => {
    const change = courseChange.parse(request.body);
    if ('removed' in change) removeCourse(state, change.key);
    else addCourse(state, change);
    return {};
  });
  app.put('/learners', async (request) => {
    const learner = learnerChange.parse(request.body);
    state.learners.set(learner.lmsUserId, learner);
    return {};
  });
}
