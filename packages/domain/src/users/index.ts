export {
  accountsOf,
  contactOf,
  deleteUser,
  emailKeyOf,
  findUser,
  insertUser,
  lmsUserIdsOf,
  type UserAttributes,
  type UserWithRole,
  updateUser,
} from './store.ts';
