import { createPublicKey } from 'node:crypto';
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Environment } from './env.ts';

const claims = z.object({
  exp: z.number(),
  iat: z.number(),
  preferred_username: z.string().optional(),
  username: z.string().optional(),
  user_id: z.int().nullish(),
  email: z.string().nullish(),
  name: z.string().nullish(),
  administrator: z.boolean().nullish(),
  roles: z.array(z.string()).nullish(),
  version: z.string().default('1.0.0'),
  is_restricted: z.boolean().default(false),
});
export type Claims = z.infer<typeof claims> & { readonly username: string };

type Keys = Pick<
  Environment,
  'JWT_ISSUERS' | 'JWT_AUDIENCE' | 'JWT_SECRET_KEY' | 'JWT_PUBLIC_SIGNING_JWK_SET' | 'JWT_LEEWAY_SECONDS'
>;

/** Why a token is rejected; for the log only. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

/** The token is valid but has no user name (R-JWT-06); the message is for the caller. */
export class NamelessToken extends TokenRefused {
  constructor() {
    super('JWT must include a preferred_username or username claim!');
  }
}

/** Whether a text has the form of a JWT at all. */
export function isJwt(text: string): boolean {
  try {
    return text.split('.').length === 3 && decodeProtectedHeader(text) !== null;
  } catch {
    return false;
  }
}

/** Synchronous for a token that was verified before. */
export type VerifyToken = (token: string) => Promise<Claims> | Claims;

const SUPPORTED_MAJOR = 1;

/**
 * Verifies a token of the platform. The algorithm is pinned to the kind of key: a symmetric token is never verified
 * with a public key, or the other way round. `kid` selects the RSA key; without `kid` any of them can verify.
 * Verified tokens are cached until they expire, because a page sends the same token with every request.
 */
export function tokenVerifier(keys: Keys): VerifyToken {
  const secret = keys.JWT_SECRET_KEY === undefined ? null : new TextEncoder().encode(keys.JWT_SECRET_KEY);
  const publicKeys =
    keys.JWT_PUBLIC_SIGNING_JWK_SET === undefined
      ? null
      : createLocalJWKSet(parseKeySet(keys.JWT_PUBLIC_SIGNING_JWK_SET));
  const verified = new LRUCache<string, Claims>({ max: 20_000 });
  const common = {
    issuer: keys.JWT_ISSUERS,
    audience: keys.JWT_AUDIENCE,
    clockTolerance: keys.JWT_LEEWAY_SECONDS,
    requiredClaims: ['exp', 'iat'],
  };

  const verify = async (token: string): Promise<JWTPayload> => {
    const { alg } = decodeProtectedHeader(token);
    if (alg === 'HS256' && secret)
      return (await jwtVerify(token, secret, { ...common, algorithms: ['HS256'] })).payload;
    if ((alg === 'RS256' || alg === 'RS512') && publicKeys) {
      const options = { ...common, algorithms: [alg] };
      try {
        return (await jwtVerify(token, publicKeys, options)).payload;
      } catch (error) {
        if (error instanceof errors.JWKSMultipleMatchingKeys) return await verifyWithAny(token, error, options);
        throw error;
      }
    }
    throw new TokenRefused('No key for this kind of token.');
  };

  const accept = async (token: string): Promise<Claims> => {
    let payload: JWTPayload;
    try {
      payload = await verify(token);
    } catch (cause) {
      throw new TokenRefused('The token is not valid.', { cause });
    }
    const parsed = claims.safeParse(payload);
    if (parsed.success && parsed.data.iat > Date.now() / 1000 + keys.JWT_LEEWAY_SECONDS)
      throw new TokenRefused('The token was issued in the future.');
    const username = parsed.data?.preferred_username || parsed.data?.username;
    if (parsed.success && !username) throw new NamelessToken();
    if (!parsed.success || !username) throw new TokenRefused('A claim is missing.');
    if (!(Number.parseInt(parsed.data.version, 10) <= SUPPORTED_MAJOR))
      throw new TokenRefused('The version is not supported.');
    const found = { ...parsed.data, username };
    verified.set(token, found);
    return found;
  };

  return (token) => {
    const known = verified.get(token);
    return known && known.exp + keys.JWT_LEEWAY_SECONDS > Date.now() / 1000 ? known : accept(token);
  };
}

/** Tries all keys: the LMS sets no `kid`, and during a key rotation any of them can have signed. */
async function verifyWithAny(
  token: string,
  keys: errors.JWKSMultipleMatchingKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

const parseKeySet = (text: string): JSONWebKeySet => keySet.parse(JSON.parse(text));

/** Whether a text is a JWK set with usable keys. */
export function isKeySet(text: string): boolean {
  try {
    return parseKeySet(text).keys.some((key) => key.kty === 'RSA' && createPublicKey({ key, format: 'jwk' }) !== null);
  } catch {
    return false;
  }
}
