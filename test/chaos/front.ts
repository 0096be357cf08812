// Sends each connection of a client to an instance that takes connections, as a load balancer without stickiness does. Knows no protocol.

import { WebSocket, type ClientOptions } from 'ws';
import type { TrunklineOptions } from '../../client/src/index.js';
import type { Instance } from './cluster.js';

/** Of the address that clients are given; it is replaced in each connection. */
export const FRONT_URL = 'http://127.0.0.1:1';

export function frontOf(pick: () => Instance): Required<Pick<TrunklineOptions, 'webSocket' | 'fetch'>> {
  class FrontSocket extends WebSocket {
    constructor(url: string, protocols: string[], options?: ClientOptions) {
      super(
        url.replace(FRONT_URL.replace('http', 'ws'), pick().url.replace('http', 'ws')),
        protocols,
        options,
      );
    }
  }
  return {
    webSocket: FrontSocket,
    // The client asks by text.
    fetch: (input, init) => fetch((input as string).replace(FRONT_URL, pick().url), init),
  };
}
