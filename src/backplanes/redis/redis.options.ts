// Options of the Redis backplane: where it is, how long to wait, how much to keep. Types, defaults, units and the meaning of zero.

import { z } from 'zod';
import { parseRedisUrl } from './redis.url.js';

const ms = (least: number) => z.int().min(least).max(2_147_483_647);

export const redisOptions = z.object({
  /** `redis://`, `rediss://`, a comma list of them = seeds of a Cluster, or `redis+sentinel://host:port,host:port/name`. */
  url: z
    .string()
    .refine((text) => parseRedisUrl(text) !== undefined, {
      message:
        'must be redis://host:port, rediss://…, a comma list of these for a Cluster, or redis+sentinel://host:port,…/name',
    })
    .default('redis://127.0.0.1:6379'),
  /** Begins every key and bus channel, so that several applications share one Redis. */
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_.:-]{1,64}$/, 'must have 1 to 64 letters, digits or _ . : -')
    .default('trunkline'),
  /** Milliseconds for a connection to open. */
  connectTimeoutMs: ms(100).default(3000),
  /** Milliseconds for the reply to a command; then a publish is `unknown_outcome` and everything else `unavailable`. */
  commandTimeoutMs: ms(100).default(3000),
  /** Commands that may wait for their replies; one more is `unavailable`. 0: no limit. */
  maxPending: z.int().min(0).default(20_000),
  /** Milliseconds an idempotency key gives its first position again. 0: keys are not remembered. */
  idempotencyWindowMs: z.int().min(0).default(300_000),
  /** Milliseconds a channel without a publication keeps its epoch after it was last asked about. */
  emptyTtlMs: ms(60_000).default(3_600_000),
  /** Milliseconds between signs of life: of this node in Redis, and of Redis on the bus connection. */
  beatMs: ms(20).default(2500),
  /** Milliseconds without a sign of life after which the others take a node for dead and end its presence. More than three beats. */
  nodeTtlMs: ms(100).default(10_000),
  /** Milliseconds presence entries and orders outlive their last refresh, as a last resort when nobody is left to sweep. */
  entryTtlMs: ms(1000).default(120_000),
});

export type RedisOptions = z.infer<typeof redisOptions>;
/** What may be left out has its default. */
export type RedisSettings = z.input<typeof redisOptions>;
