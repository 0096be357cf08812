// Makes connections to Redis, standalone, Sentinel or Cluster, with the waits a realtime server can bear. Knows no command.

import { Cluster, Redis, type ClusterOptions, type RedisOptions as ClientOptions } from 'ioredis';
import type { CoreLogger } from '../../core/ports/application.js';
import type { RedisClient } from './redis.scripts.js';
import type { RedisOptions } from './redis.options.js';
import { parseRedisUrl, type RedisAddress, type RedisPlace } from './redis.url.js';

/** `bus` connections subscribe and are not told to do so again by the library: it would not say that something was missed. */
export type ConnectionRole = 'commands' | 'bus';

/** The library's types do not know `exactOptionalPropertyTypes`. */
const PlainRedis = Redis as new (options: ClientOptions) => Redis;
const PlainCluster = Cluster as new (seeds: RedisPlace[], options: ClusterOptions) => Cluster;

const SHORTEST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2000;
const KEEP_ALIVE_MS = 10_000;
/** A half-open connection never confirms its end. */
const DISCONNECT_MS = 100;
/** One line of the log for each kind of trouble in this time, since a library that retries repeats itself. */
const LOG_EVERY_MS = 5000;

export interface ConnectionParts {
  readonly options: RedisOptions;
  readonly logger: CoreLogger;
  readonly random: () => number;
}

/** Not yet connected: call `connect()`. */
export function makeClient(role: ConnectionRole, parts: ConnectionParts): RedisClient {
  const address = parseRedisUrl(parts.options.url);
  if (address === undefined) throw new Error('The address of Redis is not valid.');
  const client =
    address.kind === 'cluster'
      ? makeCluster(address, role, parts)
      : new PlainRedis(single(address, role, parts));
  logErrors(client, role, parts.logger);
  return client;
}

function single(
  address: Exclude<RedisAddress, { kind: 'cluster' }>,
  role: ConnectionRole,
  parts: ConnectionParts,
): ClientOptions {
  const place =
    address.kind === 'standalone'
      ? { host: address.host, port: address.port }
      : {
          sentinels: [...address.sentinels],
          name: address.name,
          sentinelRetryStrategy: retry(parts),
          connectTimeout: parts.options.connectTimeoutMs,
          failoverDetector: true,
        };
  return { ...common(address, role, parts), ...place, db: address.db, retryStrategy: retry(parts) };
}

function common(
  { username, password, tls }: RedisAddress,
  role: ConnectionRole,
  { options }: ConnectionParts,
): ClientOptions {
  return {
    lazyConnect: true,
    connectTimeout: options.connectTimeoutMs,
    // On the bus a command is a subscribe of a whole batch; its own timer watches over it.
    ...(role === 'commands' ? { commandTimeout: options.commandTimeoutMs } : {}),
    keepAlive: KEEP_ALIVE_MS,
    // Commands wait and nothing comes: the connection is half open, and a new one is made.
    socketTimeout: options.commandTimeoutMs,
    disconnectTimeout: DISCONNECT_MS,
    enableOfflineQueue: false,
    // What was sent and not answered is told to the caller at once, and never sent again behind his back.
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
  };
}

function makeCluster(
  address: Extract<RedisAddress, { kind: 'cluster' }>,
  role: ConnectionRole,
  parts: ConnectionParts,
): Cluster {
  const redisOptions = common(address, role, parts);
  const clusterOptions: ClusterOptions = {
    lazyConnect: true,
    // A node is connected to with its first command, which waits for that; its own time and bound hold meanwhile.
    enableOfflineQueue: true,
    clusterRetryStrategy: retry(parts),
    // Otherwise the library sends again what a lost node may have done.
    retryDelayOnFailover: 0,
    shardedSubscribers: role === 'bus',
    slotsRefreshTimeout: parts.options.connectTimeoutMs,
    redisOptions,
  };
  return new PlainCluster([...address.seeds], clusterOptions);
}

/** Doubling with jitter, so that many servers do not come back to a new Redis in the same moment. */
function retry({ random }: ConnectionParts): (times: number) => number {
  return (times) =>
    Math.round(
      Math.min(LONGEST_RETRY_MS, SHORTEST_RETRY_MS * 2 ** Math.min(times, 10)) * (0.5 + random() / 2),
    );
}

/** Without a listener an error of the connection would end the process. */
function logErrors(client: RedisClient, role: ConnectionRole, logger: CoreLogger): void {
  const told = new Map<string, number>();
  client.on('error', (error: Error) => {
    const now = Date.now();
    const kind = error.message.slice(0, 60);
    if (now - (told.get(kind) ?? 0) < LOG_EVERY_MS) return;
    if (told.size > 20) told.clear();
    told.set(kind, now);
    logger.warn('Redis is in trouble.', { connection: role, error: error.message });
  });
}
