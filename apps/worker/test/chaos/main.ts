import { runWorkerProcess } from '../../src/process.ts';
import { fallibleJob, gatedJob, stepConsumer, stepJob } from './effects.ts';

/** The production worker with countable test jobs. */
await runWorkerProcess(process.env, {
  jobs: [stepJob, gatedJob, fallibleJob],
  consumers: [stepConsumer],
  schedules: [],
});
