/** Node arguments for child processes of tests: use a compile cache. */
export const quickStart: readonly string[] = ['--import', new URL('./compiled.mjs', import.meta.url).href];
