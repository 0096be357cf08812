// Any thrown thing → one problem of RFC 9457, with the codes of the protocol. Says nothing that an author did not write for the client.

import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import { TrunklineError, toTrunklineError } from '../core/errors.js';
import { ERRORS, type ErrorCode } from '../protocol/codes.js';
import type { ErrorDetail } from '../protocol/frames.js';

export interface Problem {
  readonly type: 'about:blank';
  /** The phrase of the status, as RFC 9457 §4.2.1 asks of `about:blank`. */
  readonly title: string;
  readonly status: number;
  /** A code of the protocol. Statuses that it has no code for give their phrase: `not_found`, `unsupported_media_type`, … */
  readonly code: string;
  readonly detail?: string;
  /** True when the same request may succeed later, unchanged. */
  readonly retry: boolean;
  readonly retryAfterMs?: number;
  readonly details?: readonly ErrorDetail[];
  /** The channel that was refused, where a request names several. */
  readonly channel?: string;
}

interface ProblemParts {
  readonly status: number;
  readonly code: string;
  readonly detail?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly details?: readonly ErrorDetail[] | undefined;
  readonly channel?: string | undefined;
}

/** Statuses with a code of ours, for exceptions that bring only a status. */
const CODES: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [400, 'invalid_data'],
  [401, 'unauthenticated'],
  [403, 'forbidden'],
  [413, 'too_large'],
  [422, 'invalid_data'],
  [429, 'rate_limited'],
  [503, 'unavailable'],
  [504, 'unknown_outcome'],
]);

export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof HttpException) {
    const { cause } = thrown;
    if (cause instanceof TrunklineError) return fromTrunkline(cause);
    return isLibraryError(cause) ? fromLibrary(thrown.getStatus(), cause) : fromHttp(thrown);
  }
  return fromTrunkline(toTrunklineError(thrown));
}

function fromTrunkline({ code, message, retryAfterMs, details, channel }: TrunklineError): Problem {
  return problem({ status: ERRORS[code].status, code, detail: message, retryAfterMs, details, channel });
}

/** Thrown by Express and its body parser: they quote the request, so their texts are not sent. */
function isLibraryError(cause: unknown): cause is Error {
  return (
    cause instanceof SyntaxError || cause instanceof URIError || (cause instanceof Error && 'expose' in cause)
  );
}

function fromLibrary(status: number, cause: Error): Problem {
  const code = codeOf(status);
  if (cause instanceof SyntaxError) return problem({ status, code, detail: 'The body is not valid JSON.' });
  if (cause instanceof URIError)
    return problem({ status, code, detail: 'The path has a malformed % sequence.' });
  return problem({ status, code, detail: LIBRARY_TEXTS.get(status) });
}

const LIBRARY_TEXTS: ReadonlyMap<number, string> = new Map([
  [400, 'The body could not be read.'],
  [413, 'The body is over the limit of this server.'],
  [415, 'The charset or the encoding of the body is not supported.'],
]);

/** Thrown by a guard, a pipe or a controller of Nest: its text was written for the client, unless it says that the server failed. */
function fromHttp(exception: HttpException): Problem {
  const status = exception.getStatus();
  const code = codeOf(status);
  if (code === 'internal') return problem({ status, code, detail: 'The server could not do this.' });
  // The text of Nest for a path without a route repeats the path.
  if (status === 404) return problem({ status, code, detail: 'There is nothing here.' });
  const messages = messagesOf(exception);
  const details = messages.length < 2 ? undefined : messages.map((message) => ({ path: '', message }));
  return problem({ status, code, detail: messages[0], details });
}

function messagesOf(exception: HttpException): readonly string[] {
  const response: unknown = exception.getResponse();
  if (typeof response === 'string') return [response];
  const { message } = response as { message?: unknown };
  const list: readonly unknown[] = Array.isArray(message) ? message : [message];
  return list.filter((entry): entry is string => typeof entry === 'string');
}

function codeOf(status: number): string {
  const code = CODES.get(status);
  if (code !== undefined) return code;
  if (status >= 500) return 'internal';
  return title(status)
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, '_');
}

function problem({ status, code, detail, retryAfterMs, details, channel }: ProblemParts): Problem {
  const known = (ERRORS as Readonly<Record<string, { readonly retry: boolean }>>)[code];
  return {
    type: 'about:blank',
    title: title(status),
    status,
    code,
    ...(detail === undefined ? {} : { detail }),
    retry: known?.retry ?? false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(details === undefined ? {} : { details }),
    ...(channel === undefined ? {} : { channel }),
  };
}

function title(status: number): string {
  return STATUS_CODES[status] ?? 'Error';
}
