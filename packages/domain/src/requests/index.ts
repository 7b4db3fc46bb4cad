export { openOf, shownOf } from './store.ts';
export { viewsOf } from './view.ts';
