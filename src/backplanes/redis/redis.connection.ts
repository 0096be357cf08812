// Makes connections to Redis, standalone, Sentinel or Cluster, with the waits a realtime server can bear. Knows no command.

import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis, type ClusterOptions, type RedisOptions as ClientOptions } from 'ioredis';
import type { CoreLogger } from '../../core/ports/application.js';
import type { RedisClient } from './redis.scripts.js';
import type { RedisOptions } from './redis.options.js';
import { trusted } from './redis.tls.js';
import { parseRedisUrl, type RedisAddress, type RedisPlace } from './redis.url.js';

/** `bus` connections subscribe and are not told to do so again by the library: it would not say that something was missed. */
export type ConnectionRole = 'commands' | 'bus';

/** Without the one field that would change the type of the client. */
export type ClientDefaults = Omit<ClientOptions, 'replyMapping'>;

/** The library's types do not know `exactOptionalPropertyTypes`. */
const PlainRedis = Redis as new (options: ClientOptions) => Redis;
const PlainCluster = Cluster as new (seeds: RedisPlace[], options: ClusterOptions) => Cluster;

const SHORTEST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2000;
const KEEP_ALIVE_MS = 10_000;
const SLOTS_REFRESH_MS = 5000;
/** A half-open connection never confirms its end. */
const DISCONNECT_MS = 100;
/** What a master says to a write when it has become a replica. It does not end its connections. */
const DEMOTED = /^READONLY\b/;
/** Milliseconds between two connections made anew for that: it takes a while until the address leads to the new master. */
const ANEW_MS = 1000;

export interface ConnectionParts {
  readonly options: RedisOptions;
  readonly logger: CoreLogger;
  readonly random: () => number;
  /** Redis is a replica, and refuses what is written. */
  readonly onDemoted?: () => void;
}

/** Not yet connected: call `connect()`. */
export function makeClient(role: ConnectionRole, parts: ConnectionParts): RedisClient {
  const address = addressIn(parts.options);
  const client =
    address.kind === 'cluster' ? makeCluster(address, role, parts) : makeOne(address, role, parts);
  logErrors(client, role, parts.logger);
  return client;
}

type OneAddress = Exclude<RedisAddress, { kind: 'cluster' }>;

/** Sentinels of which none can be asked fail the first connection, as a server does that is not there; later they are asked again. */
function makeOne(address: OneAddress, role: ConnectionRole, parts: ConnectionParts): Redis {
  let connected = false;
  const again = retry(parts);
  const sentinelRetryStrategy = (times: number): number | null => (connected ? again(times) : null);
  const client = new PlainRedis({
    ...single(address, role, parts),
    ...(address.kind === 'sentinel' ? { sentinelRetryStrategy } : {}),
  });
  client.once('ready', () => (connected = true));
  return client;
}

/** What our own connection is made with, place and login included; in a Cluster what holds for each node. For who makes it himself. */
export function clientDefaults(role: ConnectionRole, parts: ConnectionParts): ClientDefaults {
  const address = addressIn(parts.options);
  return address.kind === 'cluster' ? common(address, role, parts) : single(address, role, parts);
}

function addressIn({ url }: RedisOptions): RedisAddress {
  const address = parseRedisUrl(url);
  if (address === undefined) throw new Error('The address of Redis is not valid.');
  return address;
}

function single(address: OneAddress, role: ConnectionRole, parts: ConnectionParts): ClientOptions {
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
  const shared = common(address, role, parts);
  const secure = address.kind === 'sentinel' && shared.tls !== undefined ? sentinelTls(shared.tls) : {};
  const again = { retryStrategy: retry(parts), reconnectOnError: elsewhere(parts) };
  return { ...shared, ...place, ...secure, db: address.db, ...again };
}

/** The address may lead to another Redis by now, as behind a name or a balancer. What was refused is told to the caller, not sent again. */
function elsewhere({ onDemoted }: ConnectionParts): (error: Error) => boolean {
  let last = -Infinity;
  return ({ message }) => {
    if (!DEMOTED.test(message)) return false;
    onDemoted?.();
    const now = performance.now();
    if (now - last < ANEW_MS) return false;
    last = now;
    return true;
  };
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
    ...(tls ? { tls: trusted(options) } : {}),
  };
}

function sentinelTls(tls: ConnectionOptions): ClientOptions {
  return { sentinelTLS: tls, enableTLSForSentinelMode: true };
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
    // A subscriber that could not be made anew is tried again with the next look at the slots.
    ...(role === 'bus' ? { slotsRefreshInterval: SLOTS_REFRESH_MS } : {}),
    slotsRefreshTimeout: parts.options.connectTimeoutMs,
    redisOptions,
    // A certificate has the name that stands in the address, not what the name stands for.
    ...(address.tls ? { dnsLookup: (name, done) => done(null, name) } : {}),
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
export function logErrors(client: RedisClient, role: ConnectionRole, logger: CoreLogger): void {
  client.on('error', (error: Error) => {
    logger.warn('Redis is in trouble.', { connection: role, error: error.message });
  });
}
