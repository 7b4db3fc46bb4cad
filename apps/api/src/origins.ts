import type { Environment } from './env.ts';

const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/** Whether pages of this origin may call: configured front ends, and in the sandbox whatever runs on this machine. */
export const isTrustedOrigin = (env: Pick<Environment, 'CORS_ORIGINS' | 'SANDBOX'>, origin: string): boolean =>
  env.CORS_ORIGINS.includes(origin) || (env.SANDBOX && LOCAL.test(origin));
