import { runWorkerProcess } from './process.ts';

runWorkerProcess(process.env);
