// The frames a benchmark client sends in Trunkline's own protocol, which the plain `ws` peer speaks too.
import type { Dialect } from '../lib/load.js';

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
