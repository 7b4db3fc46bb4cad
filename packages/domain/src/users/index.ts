export {
  accountsOf,
  contactOf,
  emailKeyOf,
  findUser,
  insertUser,
  type UserAttributes,
  type UserWithRole,
  updateUser,
} from './store.ts';
