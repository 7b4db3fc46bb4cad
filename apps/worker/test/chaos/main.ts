import { runWorkerProcess } from '../../src/process.ts';
import { gatedJob, stepConsumer, stepJob } from './effects.ts';

/** The production worker with countable test jobs. */
await runWorkerProcess(process.env, { jobs: [stepJob, gatedJob], consumers: [stepConsumer], schedules: [] });
