/** An event to publish. Its data is the body that consumers receive, with wire names. */
export interface OutgoingEvent {
  /** UUID; consumers detect redeliveries by it. */
  readonly id: string;
  /** `org.openedx.….v1` */
  readonly type: string;
  /** Events of one topic with the same key keep their order. */
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly time: Date;
  /** W3C trace context of the change. */
  readonly trace?: string | null;
  /** Shared by everything that follows from one call. */
  readonly correlationId?: string | null;
}

/** An event that cannot be published, even by a retry. Store it as a dead letter. */
export interface RefusedEvent {
  readonly event: OutgoingEvent;
  /** Names fields, never their values. */
  readonly reason: string;
}

export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly time: Date;
  /** `openedx/<service>/web` */
  readonly source: string;
  readonly minorVersion: number;
  /** W3C trace context of the change that caused the event. */
  readonly trace: string | null;
  /** Shared by everything that follows from one call; null when the sender knows of none. */
  readonly correlationId: string | null;
  readonly position: Position;
}

/** Position of a message on the bus. */
export interface Position {
  /** Without the prefix of the environment. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** A message as received, not yet decoded. */
export interface RawMessage {
  readonly position: Position;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** All values of each header, in order. */
  readonly headers: Readonly<Record<string, readonly Buffer[]>>;
}

/** Why a message could not be processed. */
export type DeadLetterReason =
  /** A header is missing, repeated or malformed. */
  | 'bad_header'
  /** A well-formed event of an unknown type. */
  | 'unknown_type'
  /** No value, or not in the framing of the schema registry. */
  | 'not_framed'
  /** The registry does not have the schema, or the schema cannot be resolved to ours. */
  | 'unknown_schema'
  /** The bytes do not match the schema. */
  | 'undecodable'
  /** The handler rejected the data of the event. */
  | 'invalid_data'
  /** The handler failed on every attempt. */
  | 'handler_failed';

/**
 * A message that could not be processed and is set aside, so that it does not block later ones. Contains all that
 * `read` needs.
 */
export interface DeadLetter {
  readonly group: string;
  readonly message: RawMessage;
  readonly reason: DeadLetterReason;
  /** For operators; names fields, never their values. */
  readonly detail: string;
}

/** Waits between attempts grow from `initialMs` to `maximumMs`, doubling. */
export interface RetryPolicy {
  readonly initialMs: number;
  readonly maximumMs: number;
  /** Failures of the handler after which a message becomes a dead letter. */
  readonly attempts: number;
}

export interface Lag extends Omit<Position, 'offset'> {
  readonly group: string;
  /** Messages of the partition that this group has not processed yet. */
  readonly messages: number;
}

export interface ConsumeOptions {
  /**
   * Processes of one group share the work; each group receives every message. All processes of a group must have the
   * same topics.
   */
  readonly group: string;
  /** Without the prefix of the environment. */
  readonly topics: readonly string[];
  /**
   * Resolves when the effect of the event is stored; only then the position advances. The same event can be
   * redelivered, so claim its id in the inbox in the transaction of the effect. After a failure it is redelivered
   * before later messages of its partition. Throw `Unreadable` if a retry is useless.
   */
  handle(event: ReceivedEvent): Promise<void>;
  /** Resolves when the dead letter is stored; retried until then. */
  deadLetter(letter: DeadLetter): Promise<void>;
  readonly retry?: RetryPolicy;
  readonly onLag?: (lag: Lag) => void;
}

export interface Subscription {
  /** Whether the subscription is connected. */
  readonly isConnected: boolean;
  /** Finishes the current message, stores the position and leaves the group. */
  stop(): Promise<void>;
}

/** Publishes and consumes events. Delivery is at least once, in order per key. */
export interface EventBus {
  /**
   * Resolves when all events are stored by the bus, in the given order, except the rejected ones, which it returns.
   * Rejects if that is uncertain: publish the same events again, which can create duplicates.
   */
  publish(events: readonly OutgoingEvent[]): Promise<readonly RefusedEvent[]>;
  /**
   * Consumes until stopped, and reconnects after outages of any length. A new group starts with the oldest retained
   * message; use `rewind` for another position.
   */
  consume(options: ConsumeOptions): Subscription;
  /** Decodes the message of a dead letter like `consume`; rejects with `Unreadable` if it cannot. */
  read(message: RawMessage): Promise<ReceivedEvent>;
  /**
   * Moves a group to the first message at or after a time (R-EVT-13). Fails while a consumer of the group is running.
   */
  rewind(options: { group: string; topics: readonly string[]; to: Date }): Promise<void>;
  /** Stops all subscriptions and closes the connections. */
  close(): Promise<void>;
}

/** Structured log; fields never contain event data. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
