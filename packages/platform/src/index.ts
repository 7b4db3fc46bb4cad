export {
  EnvironmentError,
  flag,
  integer,
  jobsDatabaseUrl,
  list,
  parseEnvironment,
  type ServiceEnvironment,
  serviceEnvironment,
  type Variables,
} from './environment.ts';
export { loggerOptions } from './logging.ts';
export { buildRuntime, type ServiceRuntime } from './runtime.ts';
