// What a handler throws → the coded error a client is told. Knows HTTP only by the status of Nest's exceptions.

import { HttpException } from '@nestjs/common';
import { TrunklineError } from '../core/errors.js';
import type { ErrorCode } from '../protocol/codes.js';
import type { ErrorDetail } from '../protocol/frames.js';

/** Details told at most: a payload of 16 KiB can have thousands of faults. */
export const MAX_DETAILS = 20;

const CODES: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [401, 'unauthenticated'],
  [403, 'forbidden'],
  [404, 'unknown_channel'],
  [413, 'too_large'],
  [429, 'rate_limited'],
  [503, 'unavailable'],
]);

/** True for errors that say what the client shall be told. */
export function isCoded(thrown: unknown): thrown is TrunklineError | HttpException {
  return thrown instanceof TrunklineError || thrown instanceof HttpException;
}

/** Coded errors become TrunklineError; anything else stays as it is, and core tells `internal` and logs it. */
export function toRefusal(thrown: unknown): unknown {
  return thrown instanceof HttpException ? fromHttp(thrown) : thrown;
}

/** A fault of the payload, with what is wrong where. The first one is the message. */
export function invalidData(faults: readonly ErrorDetail[]): TrunklineError {
  const details = faults.slice(0, MAX_DETAILS);
  const [first] = details;
  const message = first === undefined ? 'The payload is not valid.' : sentence(first);
  return new TrunklineError('invalid_data', message, { details });
}

/** Our own faults begin with a verb, `must be …`; those of other pipes are whole sentences. */
function sentence({ path, message }: ErrorDetail): string {
  const text = message.endsWith('.') ? message : `${message}.`;
  if (path !== '') return `"${path}" ${text}`;
  return /^(must|cannot) /.test(text) ? `The payload ${text}` : text;
}

function fromHttp(exception: HttpException): TrunklineError {
  const status = exception.getStatus();
  const code = CODES.get(status);
  if (code !== undefined) return new TrunklineError(code, exception.message, { cause: exception });
  if (status < 400 || status > 499) {
    return new TrunklineError('internal', 'The server could not do this.', { cause: exception });
  }
  const details = detailsOf(exception.getResponse());
  if (details.length > 0) return invalidData(details);
  return new TrunklineError('invalid_data', exception.message, { cause: exception });
}

/** Nest's ValidationPipe gives a list of sentences, or with `errorFormat: 'grouped'` lists by path. */
function detailsOf(response: string | object): readonly ErrorDetail[] {
  const messages = typeof response === 'object' ? (response as { message?: unknown }).message : undefined;
  if (Array.isArray(messages)) return messages.map((message) => ({ path: '', message: String(message) }));
  if (typeof messages !== 'object' || messages === null) return [];
  return Object.entries(messages).flatMap(([path, list]: [string, unknown]) =>
    (Array.isArray(list) ? list : [list]).map((message) => ({ path, message: String(message) })),
  );
}
