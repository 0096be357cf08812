// Decides on an upgrade request before the 101: is it a WebSocket request, may it come now, from this page, as this identity.

import type { IncomingMessage } from 'node:http';
import type { Authentication } from '../../auth/authentication.js';
import type { OriginPolicy } from '../../auth/origin.js';
import type { Admission } from '../../core/admission.js';
import { TrunklineError } from '../../core/errors.js';
import type { Identity } from '../../core/identity.js';
import type { Clock } from '../../core/ports/time.js';
import type { LimitTables } from '../../limits/limit-tables.js';
import { ERRORS } from '../../protocol/codes.js';
import { SUBPROTOCOL } from '../../protocol/frames.js';
import type { Refusal } from './http-refusal.js';

export interface HandshakeContext {
  readonly authentication: Authentication;
  readonly origins: OriginPolicy;
  readonly tables: LimitTables;
  readonly admission: Admission;
  readonly clock: Clock;
}

export type Verdict =
  { readonly ok: true; readonly identity: Identity } | { readonly ok: false; readonly refusal: Refusal };

/** RFC 6455 §4.1: 16 random bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

export class Handshake {
  constructor(private readonly context: HandshakeContext) {}

  async judge(request: IncomingMessage): Promise<Verdict> {
    const address = request.socket.remoteAddress ?? 'unknown';
    const refusal = checkRequest(request) ?? this.checkRoom() ?? this.checkRate(address);
    if (refusal !== undefined) return { ok: false, refusal };
    try {
      const { identity, by } = await this.context.authentication.identify(request.headers);
      const { origin, host } = request.headers;
      if (!this.context.origins.allows({ origin, host, byCookie: by === 'cookie' })) {
        return no(403, 'forbidden', 'Pages of this origin may not connect.');
      }
      return { ok: true, identity };
    } catch (error) {
      if (!(error instanceof TrunklineError)) throw error;
      return no(ERRORS[error.code].status, error.code, error.message, { 'WWW-Authenticate': 'Bearer' });
    }
  }

  /** Asked again in the very step of the upgrade: others may have come while the credential was verified. */
  checkRoom(identity?: Identity): Refusal | undefined {
    const error = this.context.admission.refusal(identity);
    if (error === undefined) return undefined;
    const { code, message, retryAfterMs } = error;
    return { status: ERRORS[code].status, code, detail: message, retryAfterMs };
  }

  private checkRate(address: string): Refusal | undefined {
    const waitMs = this.context.tables.connects.take(address, this.context.clock.now());
    if (waitMs === 0) return undefined;
    return {
      status: 429,
      code: 'rate_limited',
      detail: 'Too many connections from this address.',
      retryAfterMs: waitMs,
    };
  }
}

function no(status: number, code: string, detail: string, headers: Record<string, string> = {}): Verdict {
  return { ok: false, refusal: { status, code, detail, headers: status === 401 ? headers : {} } };
}

/** The rules of RFC 6455 §4.2.1, each with its own answer. */
function checkRequest(request: IncomingMessage): Refusal | undefined {
  const { headers, method, httpVersion, rawHeaders } = request;
  // Node checks this for requests and not for upgrades (RFC 9112 §3.2); the same-origin rule stands on it.
  if (rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length !== 1) {
    return { status: 400, code: 'invalid_data', detail: 'An upgrade request has one Host header.' };
  }
  if (method !== 'GET') {
    return {
      status: 405,
      code: 'invalid_data',
      detail: 'A WebSocket opens with GET.',
      headers: { Allow: 'GET' },
    };
  }
  if (httpVersion !== '1.1')
    return { status: 400, code: 'invalid_data', detail: 'A WebSocket needs HTTP/1.1.' };
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    return { status: 400, code: 'invalid_data', detail: 'The Upgrade header must be "websocket".' };
  }
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
    return { status: 400, code: 'invalid_data', detail: 'An upgrade request has no body.' };
  }
  if (headers['sec-websocket-version'] !== '13') {
    const versions = { 'Sec-WebSocket-Version': '13', Upgrade: 'websocket' };
    return {
      status: 426,
      code: 'invalid_data',
      detail: 'This server speaks WebSocket version 13.',
      headers: versions,
    };
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    return {
      status: 400,
      code: 'invalid_data',
      detail: 'The Sec-WebSocket-Key header is not 16 bytes in base64.',
    };
  }
  return undefined;
}

/** Ours when offered, otherwise none: echoing the first offer, as servers do by default, would echo a token. */
export function chooseSubprotocol(offered: ReadonlySet<string>): string | false {
  return offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false;
}
