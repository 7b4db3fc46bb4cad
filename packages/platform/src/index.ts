export { databaseWaitOptions } from './database-wait.ts';
export {
  EnvironmentError,
  integer,
  jobsDatabaseUrl,
  list,
  parseEnvironment,
  SANDBOX_BRAZE_KEY,
  SANDBOX_CLIENT_SECRET,
  SANDBOX_STRIPE_KEY,
  type ServiceEnvironment,
  serviceEnvironment,
  type Variables,
} from './environment.ts';
export { loggerOptions } from './logging.ts';
export { type ProcessMetrics, processMetrics } from './metrics.ts';
export { runProcess } from './process.ts';
export { buildRuntime, type ServiceRuntime, type Shared } from './runtime.ts';
