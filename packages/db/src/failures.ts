const UNIQUE = new Set(['23505', 'ER_DUP_ENTRY']);

/** Deadlock victim, lock wait timeout, serialization failure: the transaction was rolled back and can be retried. */
const TRY_AGAIN = new Set(['40001', '40P01', '55P03', 'ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD']);

/** Connection lost, server starting or unreachable: running work was rolled back, or its result is unknown. */
const LOST =
  /^(?:08...|57P0[1-5]|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|PROTOCOL_CONNECTION_LOST|PROTOCOL_ENQUEUE_AFTER_\w+|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED|ER_ABORTING_CONNECTION|ER_NEW_ABORTING_CONNECTION)$/u;
/** Connection failures without an error code. knex prepends the statement to the message. */
const LOST_MESSAGE =
  /(?:^| - )(?:Connection terminated|Connection ended unexpectedly|Client has encountered a connection error|timeout expired$|Can't add new command when connection is in closed state|Unable to acquire a connection$)/u;

/**
 * The server answers but cannot work now: node without quorum (1047), read-only, too many connections, disk full, out
 * of memory, or statement timeout.
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

/** MariaDB errors that the MySQL driver has no name for: connection killed, statement timeout. */
const REFUSED_NUMBERS = new Set([1927, 1969]);

const codeOf = (error: object): string => ('code' in error ? String(error.code) : '');

/**
 * The causes of an error, because Objection and others wrap driver errors. Stops at failures of other services, whose
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

/** The whole transaction was rolled back and can be retried immediately. */
export const isRetryable = (error: unknown): boolean => some(error, (e) => TRY_AGAIN.has(codeOf(e)));

export const isConnectionLost = (error: unknown): boolean =>
  some(error, (e) => LOST.test(codeOf(e)) || LOST_MESSAGE.test(e.message));

/** The database is temporarily unavailable; the same work can succeed later. */
export const isDatabaseUnavailable = (error: unknown): boolean =>
  isRetryable(error) ||
  isConnectionLost(error) ||
  some(
    error,
    (e) =>
      REFUSED.has(codeOf(e)) || ('errno' in e && REFUSED_NUMBERS.has(Number(e.errno))) || e.name === 'KnexTimeoutError',
  );
