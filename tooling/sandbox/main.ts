import { parseArgs } from 'node:util';
import { CatalogFileError, startSandbox } from './index.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '18080' },
    host: { type: 'string', default: '127.0.0.1' },
    catalog: { type: 'string' },
  },
});

try {
  const sandbox = await startSandbox({
    port: Number(values.port),
    host: values.host,
    ...(values.catalog === undefined ? {} : { catalogFile: values.catalog }),
  });
  console.log(`sandbox ready at ${sandbox.url}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sandbox.close());
} catch (error) {
  // The file's owner needs the lines, not our stack.
  if (!(error instanceof CatalogFileError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
