export { type Advance, advance, type Started, signal, start } from './engine.ts';
export { find as read, restored, type WorkflowRow } from './store.ts';
