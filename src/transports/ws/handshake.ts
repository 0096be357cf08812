// Decides on an upgrade request before the 101: is it a WebSocket request, may it come now, from this page, as this identity.

import type { IncomingMessage } from 'node:http';
import type { Authentication } from '../../auth/authentication.js';
import type { OriginPolicy } from '../../auth/origin.js';
import type { Admission } from '../../core/admission.js';
import { TrunklineError } from '../../core/errors.js';
import type { Identity } from '../../core/identity.js';
import type { Addresses } from '../../limits/address.js';
import type { ConnectLimit } from '../../limits/connect-limit.js';
import { formFault } from '../../limits/request-form.js';
import type { Stranger, Strangers } from '../../limits/strangers.js';
import { ERRORS } from '../../protocol/codes.js';
import { SUBPROTOCOL } from '../../protocol/frames.js';
import type { Refusal } from './http-refusal.js';

export interface HandshakeContext {
  readonly authentication: Authentication;
  readonly origins: OriginPolicy;
  readonly addresses: Addresses;
  readonly connects: ConnectLimit;
  readonly strangers: Strangers;
  readonly admission: Admission;
}

export type Verdict =
  | { readonly ok: true; readonly identity: Identity; readonly address: string }
  | { readonly ok: false; readonly refusal: Refusal };

/** RFC 6455 §4.1: 16 random bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

export class Handshake {
  constructor(private readonly context: HandshakeContext) {}

  async judge(request: IncomingMessage): Promise<Verdict> {
    const { addresses, connects } = this.context;
    const address = addresses.of(request);
    // Nothing of the request is read for who comes too often.
    const refusal = refusalOf(connects.refusal(address)) ?? checkRequest(request) ?? this.checkRoom();
    if (refusal !== undefined) return { ok: false, refusal };
    try {
      const { headers: given, url } = request;
      const place = { url, connects: true, from: address };
      const { origin, host } = given;
      const { identity } = await this.context.authentication.identify(given, place, (by) => {
        if (!this.context.origins.allows({ origin, host, byCookie: by === 'cookie' }))
          throw new TrunklineError('forbidden', 'Pages of this origin may not connect.');
      });
      return { ok: true, identity, address };
    } catch (error) {
      if (!(error instanceof TrunklineError)) throw error;
      const { code, message, retryAfterMs } = error;
      const status = ERRORS[code].status;
      const headers = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
      return { ok: false, refusal: { status, code, detail: message, retryAfterMs, headers } };
    }
  }

  /** Asked again in the very step of the upgrade: others may have come while the credential was verified. */
  checkRoom(identity?: Identity): Refusal | undefined {
    return refusalOf(this.context.admission.refusal(identity));
  }

  /** May a socket without identity come, one more from there. Asked in the step of the upgrade, as the room is. */
  checkStranger(address: string): Refusal | undefined {
    return refusalOf(this.context.strangers.refusal(address));
  }

  /** Counts a stranger that has come. */
  enterStranger(address: string): Stranger {
    return this.context.strangers.enter(address);
  }
}

function refusalOf(error: TrunklineError | undefined): Refusal | undefined {
  if (error === undefined) return undefined;
  const { code, message, retryAfterMs } = error;
  return { status: ERRORS[code].status, code, detail: message, retryAfterMs };
}

/** The rules of RFC 6455 §4.2.1, each with its own answer. */
function checkRequest(request: IncomingMessage): Refusal | undefined {
  const { headers, method, httpVersion } = request;
  const fault = formFault(request);
  if (fault !== undefined) return { ...fault, code: 'invalid_data' };
  // Node checks this for requests and not for upgrades (RFC 9112 §3.2); the same-origin rule stands on it.
  if (headers.host === undefined)
    return { status: 400, code: 'invalid_data', detail: 'An upgrade request has one Host header.' };
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
