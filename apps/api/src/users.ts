import { type Database, insertIfAbsent } from '@enterprise-access/db';
import {
  type Actor,
  type Composition,
  flawOf,
  invalidToken,
  linkAccount,
  type Runtime,
} from '@enterprise-access/domain';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Claims } from './tokens.ts';

/** Reads roles of tokens and of stored assignments. */
type Roles = Pick<Composition, 'grantsOfToken' | 'grantOfAssignment'>;

interface StoredUser {
  readonly id: number;
  readonly email: string;
  readonly full_name: string | null;
  readonly lms_user_id: number | null;
  readonly is_staff: boolean;
  readonly is_superuser: boolean;
  readonly is_active: boolean;
}

interface Assignment {
  readonly feature_role: string | null;
  readonly enterprise_customer_uuid: string | null;
}

/** Finds the actor of a token; synchronous while it is cached. */
export type ActorOf = (claims: Claims) => Promise<Actor> | Actor;

/** How long flags and roles from the database are cached, in milliseconds. */
const REMEMBERED_MS = 10_000;

/**
 * The local copy of the platform's users: created from the first token, updated from later tokens (R-JWT-06), and
 * joined with the roles stored in the database.
 */
export function actorsFor(runtime: Pick<Runtime, 'db' | 'clock' | 'log'>, roles: Roles): ActorOf {
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
  if (user.success && flawOf(user.data) === null) return;
  const message = `[edx-drf-extensions] User retrieval failed for username ${claims.username}.`;
  throw invalidToken({}, { message });
}

async function load(runtime: Pick<Runtime, 'db' | 'clock' | 'log'>, roles: Roles, claims: Claims): Promise<Actor> {
  assertStorable(claims);
  const { db, clock } = runtime;
  let rows = await read(db, claims.username);
  const isNew = rows.length === 0;
  if (isNew) {
    const now = clock();
    await insertIfAbsent(db, 'users', {
      username: claims.username,
      ...attributesOf(claims),
      created: now,
      modified: now,
    });
    rows = await read(db, claims.username);
  }
  const [user] = rows;
  if (!user) throw new Error('The user could not be stored.');
  const changes = changesOf(user, claims);
  if (Object.keys(changes).length > 0)
    await db('users')
      .where({ id: user.id })
      .update({ ...changes, modified: clock() });
  if (isNew || 'email' in changes || 'lms_user_id' in changes)
    await link(runtime, claims.email ?? user.email, claims.user_id ?? user.lms_user_id);
  const stored = rows.flatMap((row) =>
    row.feature_role === null ? [] : [roles.grantOfAssignment(row.feature_role, row.enterprise_customer_uuid)],
  );
  // An inactive user keeps a valid token until it expires, but gets no permissions.
  const grants = user.is_active
    ? [...roles.grantsOfToken(claims.roles ?? []), ...stored.filter((grant) => grant !== null)]
    : [];
  return {
    userId: user.id,
    username: claims.username,
    lmsUserId: claims.user_id ?? user.lms_user_id,
    isStaff: user.is_active && (claims.administrator ?? user.is_staff),
    isSuperuser: user.is_active && user.is_superuser,
    grants,
  };
}

/** Links assignments of the user's e-mail address to the user. A failure does not fail the login. */
async function link(
  runtime: Pick<Runtime, 'db' | 'clock' | 'log'>,
  email: string,
  lmsUserId: number | null,
): Promise<void> {
  if (!email || !lmsUserId) return;
  try {
    await linkAccount(runtime, { email, lmsUserId });
  } catch (err) {
    runtime.log.error({ err }, 'assignments could not be linked to the account of a login');
  }
}

const read = async (db: Database, username: string): Promise<(StoredUser & Assignment)[]> =>
  db('users as u')
    .leftJoin('role_assignments as r', 'r.user_id', 'u.id')
    .where('u.username', username)
    .select(
      'u.id',
      'u.email',
      'u.full_name',
      'u.lms_user_id',
      'u.is_staff',
      'u.is_superuser',
      'u.is_active',
      'r.feature_role',
      'r.enterprise_customer_uuid',
    );

/** The user attributes in a token; missing claims are omitted. */
function attributesOf(claims: Claims): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({
      email: claims.email,
      full_name: claims.name,
      lms_user_id: claims.user_id,
      is_staff: claims.administrator,
    }).filter(([, value]) => value !== undefined && value !== null),
  );
}

const changesOf = (user: StoredUser, claims: Claims): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(attributesOf(claims)).filter(([name, value]) => user[name as keyof StoredUser] !== value),
  );
