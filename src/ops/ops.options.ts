// Options of operations. Types, defaults, units and meanings; names of variables live in config.

import { z } from 'zod';

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** Longest timer of Node; a longer one fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

export const opsOptions = z.object({
  /** Milliseconds over which a drain spreads the moves of its sessions. 0: all at once. */
  drainMs: z.int().min(0).max(MAX_TIMER_MS).default(30_000),
  /** Milliseconds the whole stop may take beyond the drain before the process ends by itself. */
  stopMs: z.int().min(100).max(MAX_TIMER_MS).default(10_000),
  logLevel: z.enum(LOG_LEVELS).default('info'),
});

export type OpsOptions = z.infer<typeof opsOptions>;
