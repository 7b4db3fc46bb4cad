import { runWorkerProcess } from '../../src/process.ts';
import { gatedJob, stepConsumer, stepJob } from './effects.ts';

/** The worker of production with work that can be counted. */
await runWorkerProcess(process.env, { jobs: [stepJob, gatedJob], consumers: [stepConsumer], schedules: [] });
