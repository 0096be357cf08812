// What went wrong in Redis or on the way to it → what the caller may believe: nothing was done, or nobody knows. Knows no command.

import { TrunklineError } from '../../core/errors.js';

/** `write`: it may have been carried out although no reply came. `read`: asking again does no harm. */
export type Effect = 'write' | 'read';

/** Replies of a Redis that did nothing and may do it later. A script is refused at its first write, or not at all. */
const REFUSALS =
  /^(NOREPLICAS|READONLY|LOADING|CLUSTERDOWN|MASTERDOWN|MISCONF|OOM|BUSY|TRYAGAIN|UNBLOCKED|MOVED|ASK|NOGOODSLAVE)\b/;
/** Said by the client library before anything was written to the socket. */
const NOT_SENT =
  /enableOfflineQueue|ClusterAllFailed|Failed to refresh slots|connect ETIMEDOUT|All sentinels/i;

const RETRY_MS = 1000;

export function fromRedis(thrown: unknown, effect: Effect): TrunklineError {
  if (thrown instanceof TrunklineError) return thrown;
  const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (name === 'ReplyError' || /ERR|WRONG/.test(message.slice(0, 10))) {
    if (REFUSALS.test(message)) return unavailable(thrown);
    return new TrunklineError('internal', 'The server could not do this.', { cause: thrown });
  }
  if (effect === 'read' || NOT_SENT.test(message)) return unavailable(thrown);
  return unknownOutcome('The backplane did not answer; it may have been done.', thrown);
}

/** What a script says of one part of its work that was not done, in the words of Redis. */
export function refusedWith(message: string): TrunklineError {
  const error = new Error(message);
  error.name = 'ReplyError';
  return fromRedis(error, 'write');
}

export function unknownOutcome(message: string, cause?: unknown): TrunklineError {
  return new TrunklineError('unknown_outcome', message, { retryAfterMs: RETRY_MS, cause });
}

export function unavailable(cause?: unknown): TrunklineError {
  return new TrunklineError('unavailable', 'The backplane is away; nothing was done.', {
    retryAfterMs: RETRY_MS,
    cause,
  });
}
