// The one error class that may reach a client: a code of the protocol and a sentence. Knows no transport.

import { errorBody } from '../protocol/decode.js';
import type { ErrorCode } from '../protocol/codes.js';
import type { ErrorBody, ErrorDetail } from '../protocol/frames.js';

export interface ErrorOptions {
  /** Milliseconds until a retry makes sense. */
  readonly retryAfterMs?: number | undefined;
  readonly details?: readonly ErrorDetail[] | undefined;
  /** The channel it is about, where a request names several. */
  readonly channel?: string | undefined;
  /** Kept for the log; never sent. */
  readonly cause?: unknown;
}

export class TrunklineError extends Error {
  readonly retryAfterMs: number | undefined;
  readonly details: readonly ErrorDetail[] | undefined;
  readonly channel: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TrunklineError';
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
    this.channel = options.channel;
  }

  toBody(): ErrorBody {
    const extra: { retryAfterMs?: number; details?: readonly ErrorDetail[] } = {};
    if (this.retryAfterMs !== undefined) extra.retryAfterMs = this.retryAfterMs;
    if (this.details !== undefined) extra.details = this.details;
    return errorBody(this.code, this.message, extra);
  }
}

/** Input that breaks a rule; `path` names where, `rule` completes the sentence. */
export function invalidData(path: string, rule: string): TrunklineError {
  return new TrunklineError('invalid_data', `"${path}" ${rule}.`, { details: [{ path, message: rule }] });
}

/** One sentence for every fault of a credential, so that it teaches an attacker nothing. */
export function badCredential(cause?: unknown): TrunklineError {
  return new TrunklineError('unauthenticated', 'The credential is not valid.', { cause });
}

/** The same error, said of one channel. */
export function ofChannel(thrown: unknown, channel: string): TrunklineError {
  const { code, message, retryAfterMs, details, cause } = toTrunklineError(thrown);
  return new TrunklineError(code, message, { retryAfterMs, details, channel, cause });
}

/** Anything else that is thrown is ours to mend: the client sees `internal`, the log sees the cause. */
export function toTrunklineError(thrown: unknown): TrunklineError {
  if (thrown instanceof TrunklineError) return thrown;
  return new TrunklineError('internal', 'The server could not do this.', { cause: thrown });
}
