// Options of the SSE transport. Types, defaults, units and meanings; names of variables live in config.

import { z } from 'zod';

/** Longest timer of Node, in milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

export const sseOptions = z.object({
  /** Milliseconds between comments. Shorter than the idle time-out of any common proxy, which is 60 s. */
  heartbeatMs: z.int().min(10).max(MAX_TIMER_MS).default(15_000),
  /** Least milliseconds a native EventSource waits before it comes back; each stream is told one to two times this. */
  retryMs: z.int().min(0).max(60_000).default(1000),
  /**
   * Milliseconds a stream lives, less up to a tenth. A peer that vanished without a word is not seen by SSE, which has no
   * answer to a heartbeat; this is what frees it at last. Clients come back with their cursor and lose nothing.
   */
  maxStreamMs: z.int().min(1000).max(MAX_TIMER_MS).default(900_000),
  /** Milliseconds a peer has to read the end of its stream. */
  closeTimeoutMs: z.int().min(100).default(3000),
});

export type SseOptions = z.infer<typeof sseOptions>;
