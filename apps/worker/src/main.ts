import { setFlagsFromString } from 'node:v8';

// Loading the modules creates much garbage, and V8 would keep about 60 MB for its young generation, of which a worker
// needs little afterwards. Set here, before other modules load, so that it applies however the process is started.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--max-semi-space-size=4');
const { runWorkerProcess } = await import('./process.ts');

await runWorkerProcess(process.env);
