// Answers an upgrade request that is refused: plain HTTP with problem+json, then the end. Knows no reason, only how to say it.

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { DATA_ANSWER, STRICT_TRANSPORT } from '../../auth/answer-headers.js';
import { ERRORS, isErrorCode } from '../../protocol/codes.js';

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly retryAfterMs?: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Milliseconds a refused peer has to read its answer. */
const LINGER_MS = 2000;

export function refuse(socket: Duplex, { status, code, detail, retryAfterMs, headers = {} }: Refusal): void {
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({
    type: 'about:blank',
    title,
    status,
    code,
    detail,
    retry: isErrorCode(code) && ERRORS[code].retry,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
  const lines = [
    `HTTP/1.1 ${status} ${title}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...headerLines(DATA_ANSWER),
    ...('encrypted' in socket ? headerLines(STRICT_TRANSPORT) : []),
    ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}`]),
    ...headerLines(headers),
  ];
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.on('error', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function headerLines(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}
