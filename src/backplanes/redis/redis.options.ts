// Options of the Redis backplane: where it is, how long to wait, how much to keep. Types, defaults, units and the meaning of zero.

import { z } from 'zod';
import { parseRedisUrl } from './redis.url.js';

const ms = (least: number) => z.int().min(least).max(2_147_483_647);

export const redisOptions = z.object({
  /**
   * `redis://`, `rediss://` with TLS, a comma list of them = seeds of a Cluster, or `redis+sentinel://host:port,host:port/name`,
   * `rediss+sentinel://…` with TLS to both.
   */
  url: z
    .string()
    .refine((text) => parseRedisUrl(text) !== undefined, {
      message:
        'must be redis://host:port, rediss://…, a comma list of these for a Cluster, or redis+sentinel://host:port,…/name',
    })
    .default('redis://127.0.0.1:6379'),
  /** PEM file of the authorities that may have signed the certificates of Redis. Empty: those that Node knows. */
  caFile: z.string().default(''),
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
  /** Replicas that must have a publication before it is acknowledged. 0: none, the master's word is enough. Not on a Cluster. */
  waitReplicas: z.int().min(0).max(100).default(0),
  /** Milliseconds they have for it; then the publish is `unknown_outcome`. Everything else waits meanwhile. */
  waitTimeoutMs: ms(1).default(1000),
  /** Milliseconds an idempotency key gives its first position again. 0: keys are not remembered. */
  idempotencyWindowMs: z.int().min(0).default(300_000),
  /** Milliseconds a channel without a publication keeps its epoch after it was last asked about. */
  emptyTtlMs: ms(60_000).default(3_600_000),
  /**
   * Milliseconds the position of a channel is known at least, however short its history: instances with listeners ask every ten seconds
   * at the latest, and one that nobody knows any more begins a new epoch under them.
   */
  positionTtlMs: ms(1).default(60_000),
  /** Milliseconds between signs of life: of this node in Redis, and of Redis on the bus connection. */
  beatMs: ms(20).default(2500),
  /** Milliseconds without a sign of life after which the others take a node for dead and end its presence. More than three beats. */
  nodeTtlMs: ms(100).default(10_000),
  /** Milliseconds presence entries and orders outlive their last refresh, as a last resort when nobody is left to sweep. */
  entryTtlMs: ms(1000).default(120_000),
});

/** How they must stand to each other: otherwise living nodes are taken for dead, or their entries end before they are. */
export const soundRedisOptions = redisOptions
  .refine(({ beatMs, nodeTtlMs }) => 3 * beatMs < nodeTtlMs, {
    path: ['beatMs'],
    error: 'must be a number below a third of nodeTtlMs',
  })
  .refine(({ nodeTtlMs, entryTtlMs }) => nodeTtlMs < entryTtlMs, {
    path: ['nodeTtlMs'],
    error: 'must be a number below entryTtlMs, which is 120000 unless set',
  })
  .refine(({ waitReplicas, url }) => waitReplicas === 0 || parseRedisUrl(url)?.kind !== 'cluster', {
    path: ['waitReplicas'],
    error: 'must be 0 for a Cluster; set min-replicas-to-write in its redis.conf instead',
  })
  .refine((all) => all.waitReplicas === 0 || all.waitTimeoutMs < all.commandTimeoutMs, {
    path: ['waitTimeoutMs'],
    error: 'must be a number below commandTimeoutMs',
  });

export type RedisOptions = z.infer<typeof redisOptions>;
/** What may be left out has its default. */
export type RedisSettings = z.input<typeof redisOptions>;
