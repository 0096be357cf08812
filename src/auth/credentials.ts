// Finds the credential in the headers of a request, in a fixed order. Verifies nothing.

import { BEARER_SUBPROTOCOL, TOKEN_COOKIE } from '../protocol/frames.js';

export interface CredentialHeaders {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

export interface Credential {
  readonly token: string;
  readonly by: 'header' | 'cookie' | 'subprotocol';
}

const BEARER = /^Bearer +([^\s,]+) *$/i;

/** Undefined when none is presented. A header that is there and makes no sense is a bad credential: its token is ''. */
export function findCredential(headers: CredentialHeaders): Credential | undefined {
  if (headers.authorization !== undefined) {
    return { token: BEARER.exec(headers.authorization)?.[1] ?? '', by: 'header' };
  }
  const cookie = cookieValue(headers.cookie, TOKEN_COOKIE);
  if (cookie !== undefined) return { token: cookie, by: 'cookie' };
  const offered = headers['sec-websocket-protocol']
    ?.split(',')
    .map((entry) => entry.trim())
    .find((entry) => entry.startsWith(BEARER_SUBPROTOCOL));
  return offered === undefined
    ? undefined
    : { token: offered.slice(BEARER_SUBPROTOCOL.length), by: 'subprotocol' };
}

/** The first cookie of the name, as RFC 6265 §5.4 orders them. */
function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const cut = part.indexOf('=');
    if (cut < 0 || part.slice(0, cut).trim() !== name) continue;
    const value = part.slice(cut + 1).trim();
    return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  }
  return undefined;
}
