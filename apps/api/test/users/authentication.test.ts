import { createPublicKey } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { World } from '../support/examples.ts';
import { demonstration, dialects, run, SECRET, startApp } from '../support/harness.ts';

const { customer: A, otherCustomer: B } = demonstration;
const symmetric = new TextEncoder().encode(SECRET);
const now = () => Math.floor(Date.now() / 1000);
const claimsOf = (change: JWTPayload): JWTPayload => ({
  iss: 'http://localhost:18000/oauth2',
  aud: 'lms-key',
  iat: now(),
  exp: now() + 3600,
  preferred_username: 'ana',
  user_id: 1000,
  email: 'ana@acme.example',
  administrator: false,
  version: '1.2.0',
  roles: [`enterprise_learner:${A}`],
  ...change,
});
const signed = (change: JWTPayload = {}) =>
  new SignJWT(claimsOf(change)).setProtectedHeader({ alg: 'HS256' }).sign(symmetric);
const listOf = (customer: string) => `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${customer}`;
const policyPath = `/api/v1/subsidy-access-policies/${demonstration.spendPolicy}/`;
const redeemPath = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
const explainOf = (customer: string, policy: string) =>
  `/api/v1/policy-redemption/enterprise-customer/${customer}/explain/?policy_uuid=${policy}&lms_user_id=1000&content_key=${encodeURIComponent(run)}`;
const refused = { status: 401, body: { detail: 'Invalid token.' } };

describe.each(dialects)('authentication on %s', (dialect) => {
  let world: World;
  const pair = generateKeyPair('RS512', { extractable: true });
  beforeAll(async () => {
    const other = await generateKeyPair('RS512', { extractable: true });
    const keys = [
      { ...(await exportJWK(other.publicKey)), kid: 'old' },
      { ...(await exportJWK((await pair).publicKey)), kid: 'current' },
    ];
    world = await startApp(dialect, {
      env: {
        JWT_PUBLIC_SIGNING_JWK_SET: JSON.stringify({ keys }),
        JWT_ISSUERS: 'http://localhost:18000/oauth2, https://other.example/oauth2',
      },
    });
  });
  afterAll(() => world.stop());
  const get = (path: string, token: string | null, headers = {}) => world.call('GET', path, token, undefined, headers);

  test('example 1: a learner reads policies of the own customer, of no other, and of none', async () => {
    const token = await signed();
    expect((await get(listOf(A), token)).status).toBe(200);
    const missing = { status: 403, body: { detail: 'Missing: subsidy_access_policy.has_read_access' } };
    expect(await get(listOf(B), token)).toMatchObject(missing);
    expect(await get('/api/v1/subsidy-access-policies/', token)).toMatchObject(missing);
  });

  test('example 2: an administrator allocates but does not write, and learns nothing of unknown policies', async () => {
    const token = await signed({ roles: [`enterprise_admin:${A}`] });
    expect((await world.call('PATCH', policyPath, token, { description: 'x' })).status).toBe(403);
    expect((await get(explainOf(A, demonstration.spendPolicy), token)).status).toBe(200);
    expect((await get('/api/v1/subsidy-access-policies/00000000-0000-4000-8000-000000000000/', token)).status).toBe(
      403,
    );
  });

  test('a token that was issued in the future is not accepted; a clock that is a little ahead is tolerated', async () => {
    expect(await get(listOf(A), await signed({ iat: now() + 60 }))).toMatchObject(refused);
    expect((await get(listOf(A), await signed({ iat: now() }))).status).toBe(200);
  });

  test('example 3: an operator of all customers may do all of that for any of them', async () => {
    const token = await signed({ roles: ['enterprise_openedx_operator:*'] });
    for (const customer of [A, B]) expect((await get(listOf(customer), token)).status).toBe(200);
    expect((await world.call('PATCH', policyPath, token, { description: 'x' })).status).toBe(200);
    expect((await get(explainOf(A, demonstration.spendPolicy), token)).status).toBe(200);
  });

  test('example 5: a role without a colon opens no customer', async () => {
    expect((await get(listOf(A), await signed({ roles: ['enterprise_openedx_operator'] }))).status).toBe(403);
  });

  test('example 7: split cookies read without, and write only with the CSRF token; a header needs none', async () => {
    const token = await signed();
    const [head, body, signature] = token.split('.');
    const cookies = `edx-jwt-cookie-header-payload=${head}.${body}; edx-jwt-cookie-signature=${signature}`;
    const wanted = { lms_user_id: 1000, content_key: run };
    expect((await get(listOf(A), null, { cookie: cookies })).status).toBe(200);
    expect((await get(listOf(A), null, { cookie: `edx-jwt-cookie-header-payload=${head}.${body}` })).status).toBe(401);
    expect((await world.call('POST', redeemPath, null, wanted, { cookie: cookies })).status).toBe(401);
    const { csrfToken } = (await get('/csrf/api/v1/token', null)).body;
    const withCsrf = { cookie: `${cookies}; enterprise_access_csrftoken=${csrfToken}`, 'x-csrftoken': csrfToken };
    expect((await world.call('POST', redeemPath, null, wanted, { ...withCsrf, 'x-csrftoken': 'other' })).status).toBe(
      401,
    );
    expect(
      (await world.call('POST', redeemPath, null, wanted, { ...withCsrf, origin: 'https://evil.example' })).status,
    ).toBe(401);
    expect((await world.call('POST', redeemPath, null, wanted, withCsrf)).status).toBe(200);
    expect((await world.call('POST', redeemPath, token, wanted)).status).toBe(200);
  });

  test('R-JWT-03, example 9: another audience is refused', async () => {
    const reply = await get(listOf(A), await signed({ aud: 'other' }));
    expect(reply).toMatchObject(refused);
    expect(reply.headers['www-authenticate']).toBe('JWT realm="api"');
  });

  test('example 10: learners can ask for themselves only, staff for all learners of the customer', async () => {
    const path = `/api/v1/policy-redemption/enterprise-customer/${A}/can-redeem/?content_key=${encodeURIComponent(run)}&lms_user_id=99`;
    const own = await get(path, await signed({ user_id: 1005, preferred_username: 'own' }));
    expect(own.body).toMatchObject([{ can_redeem: true }]);
    const staff = await get(path, await signed({ user_id: 1005, preferred_username: 'staff', administrator: true }));
    expect(staff.body).toMatchObject([{ can_redeem: false, reasons: [{ reason: 'learner_not_in_enterprise' }] }]);
  });

  test('R-JWT-02: RS512 tokens are verified with the key that kid names', async () => {
    const { privateKey } = await pair;
    const asymmetric = (kid: string) =>
      new SignJWT(claimsOf({})).setProtectedHeader({ alg: 'RS512', kid }).sign(privateKey);
    expect((await get(listOf(A), await asymmetric('current'))).status).toBe(200);
    expect(await get(listOf(A), await asymmetric('old'))).toMatchObject(refused);
    expect(await get(listOf(A), await asymmetric('unknown'))).toMatchObject(refused);
  });

  test('R-JWT-10: a token that names no key is verified with whichever of them signed it', async () => {
    const unnamed = (key: Awaited<typeof pair>['privateKey'], change: JWTPayload = {}) =>
      new SignJWT(claimsOf(change)).setProtectedHeader({ alg: 'RS512' }).sign(key);
    const stranger = await generateKeyPair('RS512');
    expect((await get(listOf(A), await unnamed((await pair).privateKey))).status).toBe(200);
    expect(await get(listOf(A), await unnamed(stranger.privateKey))).toMatchObject(refused);
    expect(await get(listOf(A), await unnamed((await pair).privateKey, { aud: 'other' }))).toMatchObject(refused);
  });

  test('R-JWT-02: a symmetric token signed with the text of the public key is refused', async () => {
    const pem = await exportSPKI((await pair).publicKey);
    const jwk = JSON.stringify(createPublicKey(pem).export({ format: 'jwk' }));
    for (const text of [pem, pem.trim(), jwk]) {
      const forged = await new SignJWT(claimsOf({}))
        .setProtectedHeader({ alg: 'HS256', kid: 'current' })
        .sign(new TextEncoder().encode(text));
      expect(await get(listOf(A), forged)).toMatchObject(refused);
    }
  });

  test('R-JWT-02: a token without a signature is refused', async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(await get(listOf(A), `${part({ alg: 'none' })}.${part(claimsOf({}))}.`)).toMatchObject(refused);
  });

  test.each([
    ['expired', { exp: now() - 60, iat: now() - 120 }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['not valid yet', { nbf: now() + 600 }],
    ['without an end', { exp: undefined }],
    ['without a time of issue', { iat: undefined }],
    ['of a later version', { version: '2.0.0' }],
    ['of a version that is none', { version: 'new' }],
  ] as [string, JWTPayload][])(
    'R-JWT-04 to R-JWT-06: a token %s is refused, and cookies do not help it',
    async (_what, change) => {
      const bad = await signed(change);
      expect(await get(listOf(A), bad)).toMatchObject(refused);
      expect(await get(listOf(A), bad, { cookie: `edx-jwt-cookie=${await signed()}` })).toMatchObject(refused);
      expect(await get(listOf(A), null, { cookie: `edx-jwt-cookie=${bad}` })).toMatchObject({
        status: 401,
        body: { detail: 'Authentication credentials were not provided.' },
      });
    },
  );

  test('R-JWT-06: a token without a user name is refused with that message', async () => {
    expect(await get(listOf(A), await signed({ preferred_username: undefined }))).toMatchObject({
      status: 401,
      body: { detail: 'JWT must include a preferred_username or username claim!' },
    });
  });

  test.each(['x', 'a.b', 'a.b.c', '..'])('Bearer %s is no JWT, so nobody is asking', async (token) => {
    const reply = await world.app.inject({ url: listOf(A), headers: { authorization: `Bearer ${token}` } });
    expect({ status: reply.statusCode, body: reply.json() }).toEqual({
      status: 401,
      body: { detail: 'Authentication credentials were not provided.' },
    });
  });

  test('R-JWT-01: every issuer of the list is accepted, with the one audience', async () => {
    const iss = 'https://other.example/oauth2';
    expect((await get(listOf(A), await signed({ iss }))).status).toBe(200);
    expect(await get(listOf(A), await signed({ iss, aud: 'other' }))).toMatchObject(refused);
  });

  test('R-JWT-04: clocks can differ by one second at most', async () => {
    const end = now();
    vi.useFakeTimers({ toFake: ['Date'], now: end * 1000 + 900 });
    try {
      const [fresh, seen] = [await signed({ exp: end, jti: 'fresh' }), await signed({ exp: end, jti: 'seen' })];
      expect((await get(listOf(A), seen)).status).toBe(200);
      vi.setSystemTime(end * 1000 + 1_900);
      for (const token of [fresh, seen]) expect(await get(listOf(A), token)).toMatchObject(refused);
    } finally {
      vi.useRealTimers();
    }
  });

  test('R-JWT-05: version, is_restricted and filters may be missing', async () => {
    const { version: _version, ...claims } = claimsOf({});
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(symmetric);
    expect((await get(listOf(A), token)).status).toBe(200);
  });

  test('R-JWT-06: the local user takes what a token says, and keeps what it does not say', async () => {
    const user = () => world.db('users').where({ username: 'changing' }).first();
    const said = {
      preferred_username: 'changing',
      user_id: 71,
      email: 'a@acme.example',
      name: 'A',
      administrator: true,
    };
    await get(listOf(A), await signed(said));
    expect(await user()).toMatchObject({ email: 'a@acme.example', full_name: 'A', lms_user_id: 71 });
    await get(listOf(A), await signed({ ...said, email: 'b@acme.example', name: undefined, administrator: undefined }));
    expect(await user()).toMatchObject({ email: 'b@acme.example', full_name: 'A', lms_user_id: 71 });
    expect(Boolean((await user()).is_staff)).toBe(true);
    await get(listOf(A), await signed({ ...said, administrator: false }));
    expect(Boolean((await user()).is_staff)).toBe(false);
  });

  test('R-JWT-09: other roles count from the next token on', async () => {
    const [before, after] = [
      await signed({ preferred_username: 'moved' }),
      await signed({ preferred_username: 'moved', roles: [] }),
    ];
    for (const [token, status] of [
      [before, 200],
      [after, 403],
      [before, 200],
    ] as const)
      expect((await get(listOf(A), token)).status).toBe(status);
  });

  test('R-RBAC-06: cookies that do not pass grant nothing, neither beside a session nor to a mutation', async () => {
    const token = await signed({ preferred_username: 'cookie', roles: ['enterprise_openedx_operator:*'] });
    const cookie = `edx-jwt-cookie=${token}; enterprise_access_sessionid=x`;
    for (const headers of [{ cookie }, { cookie, 'x-csrftoken': 'x' }, { cookie, origin: 'http://access.test' }]) {
      expect((await world.call('PATCH', policyPath, null, { description: 'y' }, headers)).status).toBe(401);
      const input = { json: { uuid: demonstration.spendPolicy, description: 'y' } };
      expect(
        (await world.app.inject({ method: 'POST', url: '/trpc/policies.update', payload: input, headers })).statusCode,
      ).toBe(401);
    }
  });

  test('R-JWT-06: an empty preferred_username gives way to username', async () => {
    expect((await get(listOf(A), await signed({ preferred_username: '', username: 'ana' }))).status).toBe(200);
  });

  test('Bearer and JWT are the same, in any case of letters; another scheme is no token', async () => {
    const token = await signed();
    for (const scheme of ['Bearer', 'bearer', 'JWT', 'jwt']) {
      expect((await get(listOf(A), null, { authorization: `${scheme} ${token}` })).status, scheme).toBe(200);
    }
    const cookie = `edx-jwt-cookie=${token}`;
    expect((await get(listOf(A), null, { authorization: `Basic ${token}`, cookie })).status).toBe(401);
    for (const authorization of ['nonsense', 'JWT', `JWT ${token} more`, ' '])
      expect((await get(listOf(A), null, { authorization, cookie })).status, authorization).toBe(200);
    expect((await get(listOf(A), null, { authorization: `JWT   ${token} ` })).status).toBe(200);
  });

  test('an empty CSRF cookie is replaced by one that can pass', async () => {
    const cookie = `edx-jwt-cookie=${await signed()}; enterprise_access_csrftoken`;
    const { csrfToken } = (await get('/csrf/api/v1/token', null, { cookie: `${cookie}=` })).body;
    const headers = { cookie: `${cookie}=${csrfToken}`, 'x-csrftoken': csrfToken };
    const wanted = { lms_user_id: 1000, content_key: run };
    expect((await world.call('POST', redeemPath, null, wanted, headers)).status).toBe(200);
    const empty = { cookie: `${cookie}=`, 'x-csrftoken': '' };
    expect((await world.call('POST', redeemPath, null, wanted, empty)).status).toBe(401);
  });

  test.each([
    ['a username', { preferred_username: 'x'.repeat(151) }],
    ['an address', { email: `${'x'.repeat(250)}@acme.example` }],
    ['a name', { name: 'x'.repeat(256) }],
    ['a user id', { user_id: 2 ** 31 }],
    ['text with a null character', { preferred_username: 'a\u0000' }],
  ] as [string, JWTPayload][])('1.4: a user who cannot be stored for %s is refused with 401', async (_what, change) => {
    const username = change.preferred_username ?? 'unstorable';
    const token = await signed({ preferred_username: username, ...change });
    const users = () => world.db('users').orderBy('id').pluck('id');
    const before = await users();
    const detail = `[edx-drf-extensions] User retrieval failed for username ${username}.`;
    expect(await get(listOf(A), token)).toMatchObject({ status: 401, body: { detail } });
    expect(await users()).toEqual(before);
  });

  const store = async (username: string, flags: Record<string, unknown>) => {
    await world.db('users').insert({ username, created: new Date(), modified: new Date(), ...flags });
    return Number((await world.db('users').where({ username }).first('id')).id);
  };

  test('R-RBAC-07: superusers come from the database, never from the token', async () => {
    await store('root', { is_superuser: true });
    expect((await get(listOf(B), await signed({ preferred_username: 'root', roles: [] }))).status).toBe(200);
    expect(
      (await get(listOf(B), await signed({ preferred_username: 'liar', roles: [], superuser: true }))).status,
    ).toBe(403);
  });

  test('R-JWT-07: an inactive user has no permissions', async () => {
    await store('gone', { is_superuser: true, is_active: false });
    expect((await get(listOf(A), await signed({ preferred_username: 'gone' }))).status).toBe(403);
  });

  test('R-RBAC-04: stored roles count for their customer, and for all when they name none', async () => {
    const grant = async (username: string, enterprise_customer_uuid: string | null) => {
      const user_id = await store(username, {});
      const feature_role = 'enterprise_access_subsidy_access_policy_operator';
      await world
        .db('role_assignments')
        .insert({ user_id, feature_role, enterprise_customer_uuid, created: new Date() });
      return signed({ preferred_username: username, roles: [] });
    };
    const one = await grant('one', A);
    expect([(await get(listOf(A), one)).status, (await get(listOf(B), one)).status]).toEqual([200, 403]);
    const all = await grant('all', null);
    expect([(await get(listOf(A), all)).status, (await get(listOf(B), all)).status]).toEqual([200, 200]);
  });

  test('a username with a space at its end is another user: no stored roles, and nothing of the other is changed', async () => {
    const user_id = await store('boss', {});
    await world.db('role_assignments').insert({
      user_id,
      feature_role: 'enterprise_access_subsidy_access_policy_operator',
      enterprise_customer_uuid: A,
      created: new Date(),
    });
    const read = () => world.db('users').where({ id: user_id }).first('username', 'email');
    expect((await get(listOf(A), await signed({ preferred_username: 'boss', roles: [] }))).status).toBe(200);
    const before = await read();
    for (const preferred_username of ['boss ', 'boss  ', ' boss']) {
      const token = await signed({ preferred_username, roles: [], email: 'other@acme.example' });
      expect((await get(listOf(A), token)).status).toBe(403);
      const input = encodeURIComponent(JSON.stringify({ json: { enterprise_customer_uuid: A } }));
      expect((await get(`/trpc/policies.list?input=${input}`, token)).status).toBe(403);
    }
    expect(await read()).toEqual(before);
  });

  test('R-JWT-08: tokens of restricted applications are refused with 403, as headers and as cookies', async () => {
    const token = await signed({ is_restricted: true });
    const denied = { status: 403, body: { detail: 'You do not have permission to perform this action.' } };
    expect(await get(listOf(A), token)).toMatchObject(denied);
    expect(await get(listOf(A), null, { cookie: `edx-jwt-cookie=${token}` })).toMatchObject(denied);
  });
});
