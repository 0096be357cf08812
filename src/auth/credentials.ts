// Finds the credential of a request in its headers and its address, in a fixed order. Verifies nothing.

import { BEARER_SUBPROTOCOL, TOKEN_COOKIE } from '../protocol/frames.js';
import { isTicketText } from './ticket-text.js';

export interface CredentialHeaders {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

/** The address of a request, and what its route takes from there. */
export interface CredentialAddress {
  readonly url: string | undefined;
  /** It opens a WebSocket, a stream or a poll: the only places for tickets. */
  readonly connects: boolean;
  /** Where the client is, for counting what fails. */
  readonly from?: string | undefined;
}

export interface Credential {
  readonly token: string;
  readonly by: 'header' | 'cookie' | 'subprotocol' | 'ticket' | 'query';
}

const BEARER = /^Bearer +([^\s,]+) *$/i;

/** Undefined when none is presented. A header that is there and makes no sense is a bad credential: its token is ''. */
export function findCredential(
  headers: CredentialHeaders,
  address: CredentialAddress | undefined,
  queryTokens: boolean,
): Credential | undefined {
  if (headers.authorization !== undefined) {
    return { token: BEARER.exec(headers.authorization)?.[1] ?? '', by: 'header' };
  }
  const cookie = cookieValue(headers.cookie, TOKEN_COOKIE);
  if (cookie !== undefined) return { token: cookie, by: 'cookie' };
  const offered = headers['sec-websocket-protocol']
    ?.split(',')
    .map((entry) => entry.trim())
    .find((entry) => entry.startsWith(BEARER_SUBPROTOCOL));
  if (offered !== undefined) return { token: offered.slice(BEARER_SUBPROTOCOL.length), by: 'subprotocol' };
  return address === undefined ? undefined : inAddress(address, queryTokens);
}

function inAddress({ url = '', connects }: CredentialAddress, queryTokens: boolean): Credential | undefined {
  const cut = url.indexOf('?');
  if (cut < 0) return undefined;
  const query = new URLSearchParams(url.slice(cut + 1));
  const ticket = single(query, 'ticket');
  if (!connects) {
    // A parameter of that name may be the route's own; a ticket of ours is out of place, and is refused without being used up.
    return ticket !== undefined && isTicketText(ticket) ? { token: '', by: 'ticket' } : undefined;
  }
  if (ticket !== undefined) return { token: ticket, by: 'ticket' };
  const token = queryTokens ? single(query, 'token') : undefined;
  return token === undefined ? undefined : { token, by: 'query' };
}

/** Two of one name make no sense: who reads the first and who reads the last would not agree. */
function single(query: URLSearchParams, name: string): string | undefined {
  const [first, ...more] = query.getAll(name);
  return more.length > 0 ? '' : first;
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
