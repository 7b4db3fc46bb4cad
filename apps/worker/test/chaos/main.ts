import { runWorkerProcess } from '../../src/process.ts';
import { stepConsumer, stepJob } from './effects.ts';

/** The worker of production with work that can be counted. */
runWorkerProcess(process.env, { jobs: [stepJob], consumers: [stepConsumer], schedules: [] });
