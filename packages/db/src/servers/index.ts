export { freePort } from './free-port.ts';
export { findMariadb, startMariadb } from './mariadb.ts';
export { startPostgres } from './postgres.ts';
export { type Command, type RunningServer, run, type Supervised, supervised, through } from './supervised.ts';
