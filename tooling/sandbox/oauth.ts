import { createHmac } from 'node:crypto';

const LIFETIME_SECONDS = 3_600;
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** What the token endpoint gives to a service. */
export function serviceToken() {
  const now = Math.floor(Date.now() / 1000);
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({
    iss: 'sandbox',
    iat: now,
    exp: now + LIFETIME_SECONDS,
    preferred_username: 'enterprise-access-service',
    administrator: true,
    roles: ['enterprise_openedx_operator:*'],
  })}`;
  const signature = createHmac('sha256', 'sandbox').update(content).digest('base64url');
  return { access_token: `${content}.${signature}`, expires_in: LIFETIME_SECONDS, token_type: 'JWT', scope: 'read write profile email' };
}
