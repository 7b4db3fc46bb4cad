import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { changeCourse, changeGroup, changeLearner, courseBody, groupBody, learnerBody } from './control-changes.ts';
import { cancelFulfilment } from './enrol.ts';
import { faultBody, faultFrom } from './faults.ts';
import { notFound, parseBody, queryOf, Refusal } from './http.ts';
import { NotReversible, reverse } from './ledger.ts';
import type { SandboxState } from './state.ts';
import { resetState } from './state.ts';

/** One item or a list of them; the list form names the item in its errors. */
const parseAll = <S extends z.ZodType>(schema: S, body: unknown): z.output<S>[] =>
  Array.isArray(body) ? parseBody(z.array(schema), body) : [parseBody(schema, body)];

const reversalBody = z.strictObject({ transactionUuid: z.uuid(), idempotencyKey: z.string().min(1).optional() });

/** Control API: tests use it to set up the fake services and to inspect their requests. */
export function controlRoutes(app: FastifyInstance, state: SandboxState): void {
  app.put('/faults', (request, reply) => {
    state.faults.push(...parseAll(faultBody, request.body).map(faultFrom));
    reply.send({ faults: state.faults.map(({ spec }) => spec) });
  });
  app.get('/faults', (_request, reply) => {
    reply.send({ faults: state.faults.map(({ spec }) => spec) });
  });
  app.delete('/faults', (_request, reply) => {
    state.faults.length = 0;
    reply.code(204).send();
  });

  app.get('/requests', (request, reply) => {
    const path = queryOf(request).one('path') ?? '';
    const chosen = [...state.requests].filter(([key]) => key.slice(key.indexOf(' ') + 1).startsWith(path));
    const total = chosen.reduce((sum, [, count]) => sum + count, 0);
    reply.send({ total, counts: Object.fromEntries(chosen) });
  });
  app.delete('/requests', (_request, reply) => {
    state.requests.clear();
    reply.code(204).send();
  });

  app.get('/mails', (_request, reply) => {
    reply.send({ mails: state.braze.mails, calls: state.braze.calls });
  });
  app.delete('/mails', (_request, reply) => {
    state.braze.mails.length = 0;
    state.braze.calls.length = 0;
    reply.code(204).send();
  });

  app.get('/enrolments', (_request, reply) => {
    const all = [...state.lms.enrolmentsByFulfilment.values()];
    const distinct = new Set(all.map(({ lmsUserId, runKey }) => `${lmsUserId} ${runKey}`)).size;
    reply.send({ total: all.length, distinct });
  });

  app.post('/reset', (_request, reply) => {
    resetState(state);
    reply.code(204).send();
  });

  app.put('/courses', (request, reply) => {
    for (const change of parseAll(courseBody, request.body)) changeCourse(state, change);
    reply.code(204).send();
  });
  app.put('/learners', (request, reply) => {
    for (const change of parseAll(learnerBody, request.body)) changeLearner(state, change);
    reply.code(204).send();
  });
  app.put('/groups', (request, reply) => {
    reply.send({ uuids: parseAll(groupBody, request.body).map((change) => changeGroup(state, change)) });
  });

  // The service has no public call for this; support staff reverse in its admin pages.
  app.post('/reversals', (request, reply) => {
    const body = parseBody(reversalBody, request.body);
    const known = state.subsidies.transactions.get(body.transactionUuid);
    if (!known) throw notFound();
    const { subsidy, transaction } = known;
    const key = body.idempotencyKey ?? `admin-invoked-reverse-${transaction.uuid}`;
    try {
      reverse(subsidy.ledger, transaction, key, state.now());
    } catch (error) {
      if (error instanceof NotReversible) throw new Refusal(409, { detail: error.message });
      throw error;
    }
    if (transaction.fulfilmentUuid !== null) cancelFulfilment(state.lms, transaction.fulfilmentUuid);
    reply.send({ reversal: transaction.reversal, balance: subsidy.ledger.balance });
  });
}
