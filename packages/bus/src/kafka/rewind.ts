import type { Kafka } from 'kafkajs';

/** A consumer of the group is running and would overwrite the new position. */
export class GroupInUse extends Error {
  override readonly name = 'GroupInUse';
}

interface Offset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/**
 * Sets the position of a group to the first message at or after a time, in every partition; partitions without such a
 * message are set to their end. Topics include their prefix.
 */
export async function rewindGroup(
  kafka: Kafka,
  options: { group: string; topics: readonly string[]; to: Date },
): Promise<void> {
  const { group } = options;
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { groups } = await admin.describeGroups([group]);
    const state = groups[0]?.state;
    if (state !== 'Empty' && state !== 'Dead')
      throw new GroupInUse(`Group ${group} is consuming; stop it before it is rewound.`);
    const offsets: Offset[] = [];
    for (const topic of options.topics) {
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, options.to.getTime());
      offsets.push(...found.map(({ partition, offset }) => ({ topic, partition, offset })));
    }
    await commit(kafka, group, offsets);
    verify(offsets, await admin.fetchOffsets({ groupId: group, topics: [...options.topics] }));
  } finally {
    await admin.disconnect();
  }
}

/** Only members can commit offsets: joins the group, commits and leaves without consuming. */
async function commit(kafka: Kafka, group: string, offsets: readonly Offset[]): Promise<void> {
  const consumer = kafka.consumer({
    groupId: group,
    maxWaitTimeInMs: 100,
    retry: { restartOnFailure: async () => false },
  });
  const topics = [...new Set(offsets.map(({ topic }) => topic))];
  const joined = Promise.withResolvers<void>();
  joined.promise.catch(() => undefined);
  consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve());
  consumer.on(consumer.events.CRASH, ({ payload }) => joined.reject(payload.error));
  await consumer.connect();
  try {
    await consumer.subscribe({ topics });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => undefined });
    consumer.pause(topics.map((topic) => ({ topic })));
    await joined.promise;
    await consumer.commitOffsets([...offsets]);
  } finally {
    await consumer.disconnect();
  }
}

type Stored = readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[];

function verify(offsets: readonly Offset[], stored: Stored): void {
  for (const { topic, partition, offset } of offsets) {
    const partitions = stored.find((found) => found.topic === topic)?.partitions;
    if (partitions?.find((found) => found.partition === partition)?.offset !== offset)
      throw new Error(`The position of ${topic}/${partition} was not stored; another consumer may have started.`);
  }
}
