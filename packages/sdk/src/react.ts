export * from './generated/react.ts';
export type {
  InfiniteOptions,
  ListFactory,
  MutationFactory,
  MutationOptionsOf,
  QueryFactory,
  QueryOptions,
  RouterKeys,
} from './react-factories.ts';
