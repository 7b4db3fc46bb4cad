/** Arguments of Node for processes that a test starts: what earlier ones compiled is not compiled again. */
export const quickStart: readonly string[] = ['--import', new URL('./compiled.mjs', import.meta.url).href];
