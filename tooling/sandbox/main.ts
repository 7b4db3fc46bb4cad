import { parseArgs } from 'node:util';
import { startSandbox } from './index.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '18300' }, catalog: { type: 'string' } } });
const sandbox = await startSandbox({ port: Number(values.port), ...(values.catalog === undefined ? {} : { catalogFile: values.catalog }) });
process.stdout.write(`The sandbox is ready at ${sandbox.url}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void sandbox.close().then(() => process.exit(0)));
