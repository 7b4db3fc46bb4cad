export {
  accountsOf,
  contactOf,
  deleteUser,
  emailKeyOf,
  emailsOf,
  findUser,
  insertUser,
  lmsUserIdsOf,
  type UserAttributes,
  type UserWithRole,
  updateUser,
} from './store.ts';
