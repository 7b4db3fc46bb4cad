export type {
  ConsumeOptions,
  DeadLetter,
  DeadLetterReason,
  EventBus,
  Lag,
  Log,
  OutgoingEvent,
  Position,
  RawMessage,
  ReceivedEvent,
  RefusedEvent,
  RetryPolicy,
  Subscription,
} from './bus.ts';
export { embeddedBus } from './embedded/index.ts';
export { type EventDeclaration, type EventTypes, eventTypesOf } from './event-types.ts';
export { type KafkaBusOptions, kafkaBus } from './kafka/index.ts';
export { GroupInUse } from './kafka/rewind.ts';
export { RegistryUnavailable } from './registry.ts';
export { Unreadable } from './unreadable.ts';
