// Bounds of the HTTP server itself: how long a request may take, how much head it may have, how many connections are held. Knows no route.

import type { Server } from 'node:http';
import type { CoreLogger } from '../core/ports/application.js';
import { Seldom } from '../core/ports/seldom.js';

export interface ServerBounds {
  /** Milliseconds an idle connection is kept for the next request. */
  readonly keepAliveMs: number;
  /** Connections held at once; more are closed unread, before the process runs out of files. */
  readonly maxConnections: number;
  readonly maxHeaders: number;
}

/** For head and body together. With the check 9.5 s at most: the rest of the 12 s that are promised is for a loop that is busy under attack. */
export const REQUEST_MS = 9000;
/** A look costs 0.1 µs while 10,000 connections are idle, and 0.5 ms while as many owe a request: 0.1 % of a core. */
const REQUEST_CHECK_MS = 500;
const SOCKET_BUFFER_BYTES = 16_384;
/** A cursor over a hundred channels and a token of 8 KiB fit. Told, though it is Node's default today: the rest is sized for it. */
const HEADER_BYTES = 16_384;
/** Milliseconds without a byte in either direction after which a peer that does not read its answer is cut off. A poll is silent for 55 s. */
const STALLED_MS = 120_000;
/** Milliseconds between two warnings about connections that were not taken. */
const WARN_EVERY_MS = 10_000;

/** What only the constructor takes as an option, and Nest calls that; the server reads them when a connection comes. */
interface Late {
  maxHeaderSize: number;
  highWaterMark: number;
  connectionsCheckingInterval: number;
  requireHostHeader: boolean;
}

export function boundServer(
  server: Server,
  { keepAliveMs, maxConnections, maxHeaders }: ServerBounds,
  logger: CoreLogger,
): void {
  // Both count from the first byte of a request, and for the first of a connection from its opening: an idle connection is not a slow one.
  server.headersTimeout = REQUEST_MS;
  server.requestTimeout = REQUEST_MS;
  // Node's 5 s are shorter than proxies reuse a connection: their next request would meet its end, and a POST may not be repeated.
  server.keepAliveTimeout = keepAliveMs;
  server.timeout = STALLED_MS;
  server.maxHeadersCount = maxHeaders;
  // No bound on requests of one connection: a proxy sends everybody's over a few, and each request is bounded by itself.
  server.maxRequestsPerSocket = 0;
  server.maxConnections = maxConnections;
  warnOfDrops(server, maxConnections, logger);
  const late = server as Server & Late;
  late.maxHeaderSize = HEADER_BYTES;
  // Node 22 raised it to 64 KiB: so much would wait beyond the bound of each outbox before we hear that a peer is slow.
  late.highWaterMark = SOCKET_BUFFER_BYTES;
  late.connectionsCheckingInterval = REQUEST_CHECK_MS;
  // Node would answer 400 by itself and still hand us the next request of the segment; src/limits/request-form.ts refuses both.
  late.requireHostHeader = false;
}

function warnOfDrops(server: Server, maxConnections: number, logger: CoreLogger): void {
  const seldom = new Seldom(WARN_EVERY_MS);
  server.on('drop', () => {
    const untold = seldom.due('drop', performance.now());
    if (untold === undefined) return;
    const dropped = untold + 1;
    logger.warn('Connections are closed unread: as many as may be are open.', { maxConnections, dropped });
  });
}
