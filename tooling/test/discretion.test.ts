import { expect, test } from 'vitest';
import { indiscretion, indiscretionOfReply } from './discretion.ts';

test.each([
  ['{"msg":"learner-7@demo.example is unknown"}', 'an e-mail address'],
  ['{"header":"JWT eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.abc"}', 'a token'],
  ['{"err":"insert into `users` (`email`) values (?) - Duplicate entry"}', 'SQL'],
  ['{"err":"select \\"uuid\\", \\"email\\" from \\"users\\""}', 'SQL'],
  ['{"err":"select uuid from \\"users\\" where"}', 'SQL'],
  ['{"err":"update \\"policies\\" set"}', 'SQL'],
  ['{"stack":"at node_modules/@fastify/helmet/index.js:5:1"}', null],
  ['{"detail":"Select a course from the catalog, or update it."}', null],
])('%s gives away: %s', (text, what) => {
  expect(indiscretion(text)).toBe(what);
});

test('a list of people may hold their addresses, a refusal only those to ask', () => {
  expect(indiscretionOfReply(200, '{"email":"a@b.example"}')).toBeNull();
  expect(indiscretionOfReply(400, '{"email":"a@b.example"}')).toBe('an e-mail address');
  expect(indiscretionOfReply(422, '[{"enterprise_administrators":[{"email":"a@b.example"}]}]')).toBeNull();
});
