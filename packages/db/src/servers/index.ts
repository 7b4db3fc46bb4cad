export { freePort } from './free-port.ts';
export { findMariadb, startMariadb } from './mariadb.ts';
export { startPostgres } from './postgres.ts';
export type { RunningServer } from './supervised.ts';
