export { accountsOf, emailKeyOf } from './store.ts';
