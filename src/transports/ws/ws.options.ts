// Options of the WebSocket transport. Types, defaults, units and meanings; names of variables live in config.

import { z } from 'zod';

export const wsOptions = z.object({
  /** Bytes of one message from a client; more closes with 1009. */
  maxMessageBytes: z.int().min(128).default(65_536),
  /** Fragments of one message; more closes with 1008. */
  maxFragments: z.int().min(1).default(64),
  /** Milliseconds between pings, and the time a pong may take. Shared with the core, which tells it in `welcome`. */
  heartbeatMs: z.int().min(1000).default(25_000),
  /** Milliseconds a peer has to answer our close frame. */
  closeTimeoutMs: z.int().min(100).default(3000),
});

export type WsOptions = z.infer<typeof wsOptions>;
