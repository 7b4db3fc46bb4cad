import type { Database } from '@enterprise-access/db';
import { LRUCache } from 'lru-cache';
import { ownerOf as ownerOfJob } from './jobs/index.ts';
import type { Runtime } from './kernel/runtime.ts';
import { ownerOf as ownerOfSubsidy, ownerOfTransaction } from './ledger/index.ts';
import { assignmentConfigurations, ownerOf as ownerOfPolicy } from './policies/index.ts';

/** How many owners a process remembers of each kind. */
const REMEMBERED = 10_000;

type OwnerOf = (uuid: string) => Promise<string | null> | string | null;

/** For things that never change hands. What does not exist is looked up each time: it may be made any moment. */
function remembered(look: (uuid: string) => Promise<string | null>): OwnerOf {
  const known = new LRUCache<string, string>({ max: REMEMBERED });
  const lookAgain = async (uuid: string): Promise<string | null> => {
    const owner = await look(uuid);
    if (owner !== null) known.set(uuid, owner);
    return owner;
  };
  return (uuid) => known.get(uuid) ?? lookAgain(uuid);
}

/** Whose each thing is that an operation can be about. Every request asks this before anything else. */
export const ownersIn = (db: Database): Runtime['ownerOf'] => ({
  configuration: remembered((uuid) => assignmentConfigurations.ownerOf(db, uuid)),
  policy: remembered((uuid) => ownerOfPolicy(db, uuid)),
  subsidy: (uuid) => ownerOfSubsidy(db, uuid),
  job: remembered((uuid) => ownerOfJob(db, uuid)),
  transaction: remembered((uuid) => ownerOfTransaction(db, uuid)),
});
