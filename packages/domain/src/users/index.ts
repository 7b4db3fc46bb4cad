export {
  accountsOf,
  emailKeyOf,
  emailsOf,
  findUser,
  insertUser,
  type UserAttributes,
  type UserWithRole,
  updateUser,
} from './store.ts';
