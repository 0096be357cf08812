// WebSocket as a transport. Knows the subprotocol and the address, no session and no channel.

import { BEARER_SUBPROTOCOL, SUBPROTOCOL } from '../../src/protocol/frames.js';
import type { OpenTransport, ServerFrame } from './transport.js';

const OPEN = 1;

/** What is used of a socket; browsers' own and the one of the package `ws` both fit. */
export interface WebSocketLike {
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: 'error', listener: (event: object) => void): void;
  /** 1: open. */
  readonly readyState?: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** `options` is the third argument of `ws`; browsers know none. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
  options?: { headers: Record<string, string> },
) => WebSocketLike;

export interface WsOptions {
  readonly url: string;
  /** Absent: the one of the platform. */
  readonly webSocket: WebSocketConstructor | undefined;
  /** Sent with the handshake by a class that was given, the token as `authorization`. Otherwise the token goes as a subprotocol. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

export function webSocketTransport(options: WsOptions): OpenTransport {
  return (token, events) => {
    const socket = openSocket(options, token);
    let over = false;
    let problem = 'connection lost';
    socket.addEventListener('message', ({ data }) => {
      if (over) return;
      const frame = readFrame(data);
      if (frame === undefined)
        events.fault(new Error('The server sent a frame that is not of the protocol.'));
      else events.frame(frame);
    });
    // Heard after `close`, too: in Node an 'error' that nobody hears ends the process.
    socket.addEventListener('error', (event) => {
      const { message } = event as { message?: unknown };
      if (typeof message === 'string' && message !== '') problem = message;
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (over) return;
      over = true;
      events.end(code, reason === '' ? problem : reason);
    });
    return {
      send({ event, id, body }) {
        // Its end is on the way, and tells what became of the frame; browsers complain aloud of a send before it.
        if ((socket.readyState ?? OPEN) !== OPEN) return;
        socket.send(`{"event":${JSON.stringify(event)},"id":${JSON.stringify(id)},"data":${body}}`);
      },
      close(code, reason) {
        over = true;
        socket.close(code, reason);
      },
    };
  };
}

/** Undefined where the platform has none and none was given. */
export function socketClass(given: WebSocketConstructor | undefined): WebSocketConstructor | undefined {
  return given ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
}

function openSocket({ url, webSocket, headers }: WsOptions, token: string | undefined): WebSocketLike {
  const Socket = socketClass(webSocket);
  if (Socket === undefined)
    throw new Error('This platform has no WebSocket: give one by the option `webSocket`.');
  const address = socketUrl(url);
  const protocols = [SUBPROTOCOL];
  // The platform's own class sends no headers, and does not say so.
  if (token !== undefined && (!headers || !webSocket)) protocols.push(BEARER_SUBPROTOCOL + token);
  if (!headers) return new Socket(address, protocols);
  const bearer: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Socket(address, protocols, { headers: { ...bearer, ...headers } });
}

/**
 * `''` is this page's origin; `http` becomes `ws`; `/ws` is added unless a WebSocket address already has a path. Where a page is only drawn,
 * on a server, `''` stands for a name that nobody can have: the client can be made there, and reaches nothing.
 */
export function socketUrl(url: string): string {
  const page = (globalThis as { location?: { origin?: string } }).location?.origin;
  const address = new URL(url || '/', page ?? (url ? undefined : 'http://page.invalid'));
  const given = address.protocol.startsWith('ws') && address.pathname !== '/';
  if (!given && !address.pathname.endsWith('/ws'))
    address.pathname = `${address.pathname.replace(/\/$/, '')}/ws`;
  address.protocol = address.protocol.replace('http', 'ws');
  address.hash = '';
  return address.href;
}

function readFrame(text: unknown): ServerFrame | undefined {
  try {
    const frame = JSON.parse(text as string) as ServerFrame | null;
    return typeof frame?.event === 'string' ? frame : undefined;
  } catch {
    return undefined;
  }
}
