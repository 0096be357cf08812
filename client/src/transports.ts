// The transports by name, and which of the wished ones can work on this platform at all. Opens nothing.

import type { PollingOptions } from './polling-transport.js';
import type { OpenTransport, Transport, TransportFactory } from './transport.js';
import { socketClass, socketUrl, webSocketTransport, type WsOptions } from './ws-transport.js';

export type TransportName = 'websocket' | 'sse' | 'polling';

type Requests = typeof import('./request-transports.js');

export interface TransportParts extends WsOptions, Omit<PollingOptions, 'base' | 'headers'> {
  readonly wished: readonly (TransportName | TransportFactory)[];
}

/** The best first, as wished. A WebSocket that is missing is left out only when something else is left. */
export function makeTransports({ wished, ...parts }: TransportParts): readonly TransportFactory[] {
  const rest = { ...parts, base: baseUrl(parts.url) };
  const open: Record<TransportName, OpenTransport> = {
    websocket: webSocketTransport(parts),
    sse: whenLoaded(({ sseTransport }) => sseTransport(rest)),
    polling: whenLoaded(({ pollingTransport }) => pollingTransport(rest)),
  };
  const made = wished.map((entry) =>
    typeof entry === 'string' ? { name: entry, open: open[entry] } : entry,
  );
  const usable = made.filter(
    (transport) => transport.open !== open.websocket || socketClass(parts.webSocket),
  );
  return usable.length > 0 ? usable : made;
}

/**
 * Transports made of requests are 4 kB gzip that most clients never need, so they are fetched with the first try. Where that fails,
 * their requests would fail as well.
 */
function whenLoaded(choose: (requests: Requests) => OpenTransport): OpenTransport {
  return (token, events, wanted) => {
    let over = false;
    let transport: Transport | undefined;
    import('./request-transports.js').then(
      (requests) => {
        if (!over) transport = choose(requests)(token, events, wanted);
      },
      (error: unknown) => {
        if (!over) events.end(1006, String(error));
      },
    );
    return {
      send: (frame) => transport?.send(frame),
      close(code, reason) {
        over = true;
        transport?.close(code, reason);
      },
    };
  };
}

/** Beside the address of the socket: `ws://host/path/ws` → `http://host/path/`. */
export function baseUrl(url: string): string {
  return new URL('.', socketUrl(url).replace('ws', 'http')).href;
}
