export { type Advance, advance, type Started, signal, start } from './engine.ts';
export { restart } from './service.ts';
export { find as read, findByKey as readByKey, restored, type WorkflowRow } from './store.ts';
