// The one error class of the client, and which refusals are worth another try. Knows no connection.

import type { ErrorCode } from '../../src/protocol/codes.js';
import type { ErrorBody, ErrorDetail } from '../../src/protocol/frames.js';

/**
 * What the server can answer, and five of the client's own:
 * `closed`: the connection has ended for good, or `close()` was called;
 * `buffer_full`: more is waiting for the connection than `outboundLimit` allows; nothing was sent;
 * `cancelled`: `unsubscribe()` came before the subscription was made;
 * `too_slow`: a loop over `messages()` fell behind by more than its `limit`;
 * `gap`: a loop over `messages({ gaps: 'throw' })` would have left something out.
 */
export type TrunklineErrorCode = ErrorCode | 'closed' | 'buffer_full' | 'cancelled' | 'too_slow' | 'gap';

export class TrunklineError extends Error {
  override readonly name = 'TrunklineError';
  readonly code: TrunklineErrorCode;
  /** True when the same call may succeed later, unchanged. */
  readonly retry: boolean;
  readonly retryAfterMs: number | undefined;
  /** What is wrong with the data, for `invalid_data`. */
  readonly details: readonly ErrorDetail[] | undefined;

  constructor(
    code: TrunklineErrorCode,
    message: string,
    extra: Partial<Omit<ErrorBody, 'code' | 'message'>> = {},
  ) {
    super(message);
    this.code = code;
    this.retry = extra.retry ?? false;
    this.retryAfterMs = extra.retryAfterMs;
    this.details = extra.details;
  }
}

export function bufferFull(limit: number): TrunklineError {
  const message = `${limit} wait for the connection already.`;
  return new TrunklineError('buffer_full', message, { retry: true });
}

/** From the data of an `error` frame. */
export function errorFrom(data: unknown): TrunklineError {
  const body = (data ?? {}) as Partial<ErrorBody>;
  return new TrunklineError(body.code ?? 'internal', body.message ?? 'The server gave no message.', body);
}

/** The retryable rows of the protocol's table, without its texts, which would weigh more than the rest of this file. */
const RETRYABLE: ReadonlySet<TrunklineErrorCode> = new Set<ErrorCode>([
  'rate_limited',
  'unavailable',
  'unknown_outcome',
  'internal',
]);

export function isRetryable(code: TrunklineErrorCode): boolean {
  return RETRYABLE.has(code);
}
