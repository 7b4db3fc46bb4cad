export { advance, start } from './engine.ts';
export { restart } from './service.ts';
export { find as read, findByKey as readByKey, restored, type WorkflowRow } from './store.ts';
