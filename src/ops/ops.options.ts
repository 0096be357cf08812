// Options of operations. Types, defaults, units and meanings; names of variables live in config.

import { hostname } from 'node:os';
import { z } from 'zod';

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** Only this machine. */
export const OPS_HOST = '127.0.0.1';

/** Longest timer of Node; a longer one fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

export const opsOptions = z.object({
  /** Port of health and metrics alone, which are on no other then. 0: they are on the public port. */
  port: z.int().min(0).max(65_535).default(0),
  /** Where that port is listened on. */
  host: z.string().min(1).default(OPS_HOST),
  /** Milliseconds over which a drain spreads the moves of its sessions. 0: all at once. */
  drainMs: z.int().min(0).max(MAX_TIMER_MS).default(30_000),
  /** Milliseconds the whole stop may take beyond the drain before the process ends by itself. */
  stopMs: z.int().min(100).max(MAX_TIMER_MS).default(10_000),
  logLevel: z.enum(LOG_LEVELS).default('info'),
  /** Name of this instance, for people: clients are told it. */
  instance: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,64}$/, 'may have 64 of the characters A-Z a-z 0-9 . _ : -')
    .default(() => hostAndProcess()),
});

/** Two instances on one machine differ by the process, two containers by the host. */
function hostAndProcess(): string {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 50);
  return `${host}-${process.pid}`;
}

export type OpsOptions = z.infer<typeof opsOptions>;
