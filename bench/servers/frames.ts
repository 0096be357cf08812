// The frames a benchmark client sends in Trunkline's own protocol, which the plain `ws` peer speaks too.
import type { Dialect } from '../lib/load.js';

/** The same publications heard by event streams; the publisher keeps its WebSocket, so that only the listening differs. */
export function streamDialect({ path, beside, ready }: StreamWords, channel: string, token: string): Dialect {
  const { headers, publish } = trunklineDialect(path, channel, token);
  return {
    path,
    headers,
    steps: [{ awaited: ready }],
    streamsBeside: beside,
    ...(publish === undefined ? {} : { publish }),
  };
}

export interface StreamWords {
  readonly path: string;
  /** Path of the WebSocket that publishes. */
  readonly beside: string;
  /** What a stream says once it listens. */
  readonly ready: string;
}

export function trunklineDialect(path: string, channel: string, token: string): Dialect {
  return {
    path,
    headers: [`Authorization: Bearer ${token}`],
    steps: [
      { send: JSON.stringify({ event: 'subscribe', id: 1, data: { channel } }), awaited: '"event":"ok"' },
    ],
    publish: JSON.stringify({ event: 'publish', data: { channel, event: 'tick', data: '%T' } }),
  };
}
