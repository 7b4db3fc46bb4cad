import { setFlagsFromString } from 'node:v8';

// A start makes much garbage, for which the engine would keep 60 MB of room for ever; a worker needs little of it
// afterwards. Said before anything else is loaded, and here, so that it holds however the process is started.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--max-semi-space-size=4');
const { runWorkerProcess } = await import('./process.ts');

await runWorkerProcess(process.env);
