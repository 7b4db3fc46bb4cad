// Times with microseconds, for rules, which see nothing else of the database package.
export { withMicroseconds } from '@enterprise-access/db';
