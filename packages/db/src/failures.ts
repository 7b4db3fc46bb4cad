const UNIQUE = new Set(['23505', 'ER_DUP_ENTRY']);

/** Deadlock victim, lock wait timeout, serialization failure: the database undid everything and asks to be tried again. */
const TRY_AGAIN = new Set(['40001', '40P01', '55P03', 'ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD']);

/** The server went away, is starting or cannot be reached: what was under way was undone, or its end is unknown. */
const LOST =
  /^(?:08...|57P0[1-5]|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|PROTOCOL_CONNECTION_LOST|PROTOCOL_ENQUEUE_AFTER_\w+|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED|ER_ABORTING_CONNECTION|ER_NEW_ABORTING_CONNECTION)$/u;
/** Connection failures for which the drivers have no code. knex puts the statement before the message. */
const LOST_MESSAGE =
  /(?:^| - )(?:Connection terminated|Connection ended unexpectedly|Client has encountered a connection error|timeout expired$|Can't add new command when connection is in closed state|Unable to acquire a connection$)/u;

/**
 * The server answers, but cannot do its work now: a node without quorum (1047), read-only, too many connections, disk
 * full, out of memory, or a statement that took longer than it may.
 */
const REFUSED = new Set([
  '25006',
  '53000',
  '53100',
  '53200',
  '53300',
  '53400',
  '57014',
  '58030',
  'ER_UNKNOWN_COM_ERROR',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_READ_ONLY_MODE',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_USER_LIMIT_REACHED',
  'ER_HOST_IS_BLOCKED',
  'ER_DISK_FULL',
  'ER_RECORD_FILE_FULL',
  'ER_ERROR_ON_WRITE',
  'ER_ERROR_DURING_COMMIT',
  'ER_GET_ERRNO',
  'ER_OUTOFMEMORY',
  'ER_OUT_OF_RESOURCES',
  'ER_QUERY_INTERRUPTED',
  'ER_STATEMENT_TIMEOUT',
  'ER_QUERY_TIMEOUT',
  'STATEMENT_TIMEOUT',
]);

/** Errors of MariaDB for which the driver, made for MySQL, has no name: connection killed, statement took too long. */
const REFUSED_NUMBERS = new Set([1927, 1969]);

const codeOf = (error: object): string => ('code' in error ? String(error.code) : '');

/**
 * Objection and others wrap driver errors, so the chain is searched. It ends at the failure of another service, whose
 * network errors have the same codes.
 */
function* chainOf(error: unknown): Generator<Error> {
  let depth = 0;
  for (let e = error; e instanceof Error && e.name !== 'UpstreamFailure' && depth < 5; depth += 1) {
    yield e;
    e = 'nativeError' in e ? e.nativeError : e.cause;
  }
}

const some = (error: unknown, matches: (e: Error) => boolean): boolean => {
  for (const e of chainOf(error)) if (matches(e)) return true;
  return false;
};

export const isUniqueViolation = (error: unknown): boolean => some(error, (e) => UNIQUE.has(codeOf(e)));

/** The database undid the whole transaction: the same work can succeed at once. */
export const isRetryable = (error: unknown): boolean => some(error, (e) => TRY_AGAIN.has(codeOf(e)));

export const isConnectionLost = (error: unknown): boolean =>
  some(error, (e) => LOST.test(codeOf(e)) || LOST_MESSAGE.test(e.message));

/** The database cannot do the work now, for a reason that is not the work's: later it can. */
export const isDatabaseUnavailable = (error: unknown): boolean =>
  isRetryable(error) ||
  isConnectionLost(error) ||
  some(
    error,
    (e) =>
      REFUSED.has(codeOf(e)) || ('errno' in e && REFUSED_NUMBERS.has(Number(e.errno))) || e.name === 'KnexTimeoutError',
  );
