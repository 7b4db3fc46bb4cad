import { type Origin, systemOrigin, withOrigin } from '@enterprise-access/db';
import {
  type Actor,
  type Composition,
  findUser,
  insertUser,
  invalidToken,
  linkAccount,
  newUuid,
  type Runtime,
  storageProblemOf,
  type UserAttributes,
  type UserWithRole,
  updateUser,
} from '@enterprise-access/domain';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Claims } from './tokens.ts';

/** Reads roles of tokens and of stored assignments. */
type Roles = Pick<Composition, 'grantsOfToken' | 'grantOfAssignment' | 'grantsOfAccount'>;

/** Finds the actor of a token; synchronous while it is cached. */
export type ActorOf = (claims: Claims) => Promise<Actor> | Actor;

/** How long flags and roles from the database are cached, in milliseconds. */
const REMEMBERED_MS = 10_000;

/**
 * The local copy of the platform's users: created from the first token, updated from later tokens (R-JWT-06), and
 * joined with the roles stored in the database.
 */
export function actorsFor(runtime: Pick<Runtime, 'db' | 'clock' | 'log' | 'settings'>, roles: Roles): ActorOf {
  const remembered = new LRUCache<string, { claims: Claims; actor: Actor }>({ max: 20_000, ttl: REMEMBERED_MS });
  const recall = async (claims: Claims): Promise<Actor> => {
    const actor = await load(runtime, roles, claims);
    remembered.set(claims.username, { claims, actor });
    return actor;
  };
  return (claims) => {
    const known = remembered.get(claims.username);
    return known && known.claims === claims ? known.actor : recall(claims);
  };
}

/** Limits of the user columns. */
const storable = z.object({
  username: z.string().max(150),
  email: z.string().max(254).nullish(),
  name: z.string().max(255).nullish(),
  user_id: z.int32().nullish(),
});

function assertStorable(claims: Claims): void {
  const user = storable.safeParse(claims);
  if (user.success && storageProblemOf(user.data) === null) return;
  const message = `[edx-drf-extensions] User retrieval failed for username ${claims.username}.`;
  throw invalidToken({}, { message });
}

async function load(
  runtime: Pick<Runtime, 'db' | 'clock' | 'log' | 'settings'>,
  roles: Roles,
  claims: Claims,
): Promise<Actor> {
  assertStorable(claims);
  const { db, clock } = runtime;
  let rows = await findUser(db, claims.username);
  const isNew = rows.length === 0;
  if (isNew) {
    await insertUser(db, claims.username, attributesOf(claims), clock());
    rows = await findUser(db, claims.username);
  }
  const [user] = rows;
  if (!user) throw new Error('The user could not be stored.');
  const changes = changesOf(user, claims);
  if (Object.keys(changes).length > 0) await updateUser(db, user.id, changes, clock());
  if (isNew || 'email' in changes || 'lmsUserId' in changes)
    await withOrigin(loginOf(user), () => link(runtime, claims.email ?? user.email, claims.user_id ?? user.lmsUserId));
  const stored = rows.flatMap((row) =>
    row.featureRole === null ? [] : [roles.grantOfAssignment(row.featureRole, row.enterpriseCustomerUuid)],
  );
  // An inactive user keeps a valid token until it expires, but gets no permissions.
  const grants = user.isActive
    ? [
        ...roles.grantsOfToken(claims.roles ?? []),
        ...stored.filter((grant) => grant !== null),
        ...roles.grantsOfAccount(claims.username, runtime.settings),
      ]
    : [];
  return {
    userId: user.id,
    username: claims.username,
    lmsUserId: claims.user_id ?? user.lmsUserId,
    isStaff: user.isActive && (claims.administrator ?? user.isStaff),
    isSuperuser: user.isActive && user.isSuperuser,
    grants,
  };
}

/** What the audit trail says about changes that a login makes by itself. */
const loginOf = ({ id: actorUserId }: UserWithRole): Origin =>
  systemOrigin({ operation: 'login', source: 'system', actorUserId, correlationId: newUuid() });

/** Assignments that wait for the address become the learner's own. They are no reason to refuse a login. */
async function link(
  runtime: Pick<Runtime, 'db' | 'clock' | 'log'>,
  email: string,
  lmsUserId: number | null,
): Promise<void> {
  if (!email || !lmsUserId) return;
  try {
    await linkAccount(runtime, { email, lmsUserId });
  } catch (err) {
    runtime.log.error({ err }, 'assignments could not be linked to the account of a user');
  }
}

/** The user attributes in a token; missing claims are omitted. */
const attributesOf = (claims: Claims): UserAttributes =>
  Object.fromEntries(
    Object.entries({
      email: claims.email,
      fullName: claims.name,
      lmsUserId: claims.user_id,
      isStaff: claims.administrator,
    }).filter(([, value]) => value !== undefined && value !== null),
  );

const changesOf = (user: UserWithRole, claims: Claims): UserAttributes =>
  Object.fromEntries(
    Object.entries(attributesOf(claims)).filter(([name, value]) => user[name as keyof UserAttributes] !== value),
  );
