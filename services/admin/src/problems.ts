import { ProblemError } from '@rollcall/http';
import { AliasTaken, CursorTooOld, StoreUnavailable } from '@rollcall/location';
import { displayText } from '@rollcall/sip';
import type { Logger } from '@rollcall/telemetry';

/** The store comes back within seconds or not soon; a client that tries again after this time does not hurt it. */
const RETRY_AFTER_S = '2';

/** The problems of the layers below. */
export function mapError(error: unknown): ProblemError | undefined {
  if (error instanceof StoreUnavailable) {
    return new ProblemError('store-unavailable', undefined, { headers: { 'retry-after': RETRY_AFTER_S } });
  }
  if (error instanceof AliasTaken)
    return new ProblemError('conflict', `${displayText(error.alias)} already means another user`);
  return error instanceof CursorTooOld ? new ProblemError('cursor-too-old') : undefined;
}

/** As `mapError`, for code that runs beside a request: what nobody expected is logged and `internal`. */
export function problemOf(log: Logger, error: unknown): ProblemError {
  const problem = error instanceof ProblemError ? error : mapError(error);
  if (problem !== undefined) return problem;
  log.error({ err: error }, 'event stream failed');
  return new ProblemError('internal');
}
