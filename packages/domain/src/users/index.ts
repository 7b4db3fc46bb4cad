export {
  accountsOf,
  deleteUser,
  emailKeyOf,
  findUser,
  insertUser,
  type UserAttributes,
  type UserWithRole,
  updateUser,
} from './store.ts';
