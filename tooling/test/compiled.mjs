import { enableCompileCache, flushCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Loaded first by processes that tests start. Most of a start is reading and compiling the same modules: it is done
// once
// and kept. Vitest switches the cache off for all that inherits its environment, because it would spoil coverage; that
// of these processes is not measured. No TypeScript here: to strip its types costs more than the file does.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url)));

// Tests kill processes, so flush the cache when the process reports that it is ready.
const { send } = process;
if (send) {
  process.send = (...args) => {
    flushCompileCache();
    return send.apply(process, args);
  };
}
