import type { Environment } from './env.ts';

const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/** Whether pages of this origin may call the API: configured front ends, and with the sandbox any port of localhost. */
export const isTrustedOrigin = (env: Pick<Environment, 'CORS_ORIGINS' | 'SANDBOX'>, origin: string): boolean =>
  env.CORS_ORIGINS.includes(origin) || (env.SANDBOX && LOCAL.test(origin));
