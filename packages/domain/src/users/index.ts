export {
  accountsOf,
  contactOf,
  deleteUser,
  emailKeyOf,
  findUser,
  insertUser,
  type UserAttributes,
  type UserContact,
  type UserWithRole,
  updateUser,
} from './store.ts';
