/** An event to be sent. Its data is the body that consumers see, with the names of the wire. */
export interface OutgoingEvent {
  /** UUID; consumers recognize a repetition by it. */
  readonly id: string;
  /** `org.openedx.….v1` */
  readonly type: string;
  /** Events of one topic with the same key keep their order. */
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly time: Date;
  /** W3C trace context of whoever made the change. */
  readonly trace?: string | null;
  /** Shared by everything that follows from one call. */
  readonly correlationId?: string | null;
}

/** An event that cannot be sent now or by repeating: it must be kept for somebody to look at. */
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
  /** W3C trace context of the change that it tells of. */
  readonly trace: string | null;
  /** Shared by everything that follows from one call; null when the sender knows of none. */
  readonly correlationId: string | null;
  readonly position: Position;
}

/** Where a message is on the bus. */
export interface Position {
  /** Without the prefix of the environment. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** A message as it came, before anybody tried to understand it. */
export interface RawMessage {
  readonly position: Position;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** All values of each header, in order. */
  readonly headers: Readonly<Record<string, readonly Buffer[]>>;
}

/** Why a message has no effect. */
export type DeadLetterReason =
  /** A header is missing, repeated or malformed. */
  | 'bad_header'
  /** A well-formed event that we have no definition of. */
  | 'unknown_type'
  /** No value, or not in the framing of the schema registry. */
  | 'not_framed'
  /** The registry has no such schema, or it does not lead to the one that we read with. */
  | 'unknown_schema'
  /** The bytes are not what the schema says. */
  | 'undecodable'
  /** The handler understood the event and cannot work with what it says. */
  | 'invalid_data'
  /** The handler failed as often as it may. */
  | 'handler_failed';

/** A message that is put aside so that those behind it can go on. It holds all that a later `read` needs. */
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
  /** Messages of the partition that this group has not finished. */
  readonly messages: number;
}

export interface ConsumeOptions {
  /** Processes of one group share the work; each group sees every message. All of them name the same topics. */
  readonly group: string;
  /** Without the prefix of the environment. */
  readonly topics: readonly string[];
  /**
   * Resolves when the effect of the event is stored; the position moves on only then. The same event can come again,
   * so its id is claimed in the inbox together with the effect. After a failure it comes again, and nothing behind it
   * in its partition comes before it. `Unreadable` says that repeating is no use.
   */
  handle(event: ReceivedEvent): Promise<void>;
  /** Resolves when the dead letter is stored; it comes again until then. */
  deadLetter(letter: DeadLetter): Promise<void>;
  readonly retry?: RetryPolicy;
  readonly onLag?: (lag: Lag) => void;
}

export interface Subscription {
  /** Whether messages can arrive at present. */
  readonly isConnected: boolean;
  /** Finishes the message in hand, stores the position and leaves the group. */
  stop(): Promise<void>;
}

/** What a service tells others and hears from them. At least once, in order per key. */
export interface EventBus {
  /**
   * Resolves when all events are kept by the bus, in the given order, except those it returns. Rejects when that is
   * not certain: the same events must be published again, and some may then be there twice.
   */
  publish(events: readonly OutgoingEvent[]): Promise<readonly RefusedEvent[]>;
  /**
   * Consumes until stopped, and comes back by itself however long the bus is away. A group that was never seen starts
   * with the first message that is kept; `rewind` gives it another beginning.
   */
  consume(options: ConsumeOptions): Subscription;
  /** Understands a message that was put aside, as `consume` would; rejects with `Unreadable` when it still cannot. */
  read(message: RawMessage): Promise<ReceivedEvent>;
  /**
   * Lets a group start again with the first message of that instant or later (R-EVT-13). Needs that nobody consumes in
   * the group.
   */
  rewind(options: { group: string; topics: readonly string[]; to: Date }): Promise<void>;
  /** Stops what consumes, then lets go of the connections. */
  close(): Promise<void>;
}

/** Structured log; fields hold no data of events. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
