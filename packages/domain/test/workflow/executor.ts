// A process that carries one workflow on, and kills itself where it is told. Its remote effects are HTTP calls that
// the test counts.
import { connect } from '@enterprise-access/db';
import { z } from 'zod';
import { defineWorkflow, type Workflow } from '../../src/kernel/workflow.ts';
import { emptyWorld, testRuntime } from '../../src/testing.ts';
import { advance } from '../../src/workflow/index.ts';

const { DATABASE = '', WORKFLOW = '', EFFECTS = '', KILL_AT = '' } = process.env;

const at = (point: string): void => {
  if (point === KILL_AT) process.kill(process.pid, 'SIGKILL');
};

const effect = async (name: string, method: 'GET' | 'POST') => {
  const reply = await fetch(`${EFFECTS}/${name}`, { method });
  return reply.status === 404 ? null : ((await reply.json()) as { made: string });
};

const output = z.object({ made: z.string() });
const journey = defineWorkflow({ kind: 'test.journey', version: 1, title: 'A journey', input: z.object({}) })
  .own('first', {
    title: 'First',
    output,
    async commit(trx, { workflow }) {
      await trx('inbox').insert({ consumer: 'first', message_id: workflow.uuid, received: new Date() });
      at('in the first transaction');
      return { made: 'first' };
    },
  })
  .remote('second', {
    title: 'Second',
    output,
    async find({ workflow }) {
      at('after the first transaction');
      return effect(workflow.uuid, 'GET');
    },
    async make({ workflow }) {
      at('before the effect');
      const made = await effect(workflow.uuid, 'POST');
      at('after the effect');
      return made ?? { made: '' };
    },
    async settle(trx, { workflow }) {
      await trx('inbox').insert({ consumer: 'second', message_id: workflow.uuid, received: new Date() });
      at('in the transaction after the effect');
    },
  })
  .own('third', {
    title: 'Third',
    output,
    async commit(trx, { workflow }) {
      at('after the record of the effect');
      await trx('inbox').insert({ consumer: 'third', message_id: workflow.uuid, received: new Date() });
      return { made: 'third' };
    },
  });

const db = connect({ url: DATABASE, poolSize: 3 });
const workflowOf = () => journey as unknown as Workflow;
const state = await advance(testRuntime(db, emptyWorld(), { workflowOf }), WORKFLOW, new AbortController().signal);
await db.destroy();
process.stdout.write(state);
