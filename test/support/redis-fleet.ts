// Redis as the contract and the fault tests meet it: standalone, a master under three Sentinels, a Cluster of three masters. All of them
// real processes ended by one handle. Knows nothing of what is kept in them.

import { randomBytes } from 'node:crypto';
import { freePorts } from './free-ports.js';
import { askRedis, RedisServer, type Command, type RedisServerOptions } from './redis-server.js';
import { until } from './wait.js';

export const SENTINEL_NAME = 'main';
const SLOTS = 16_384;
/** Milliseconds without an answer until a Sentinel takes the master for dead. */
const DOWN_AFTER_MS = 500;
const FAILOVER_TIMEOUT_MS = 2000;
/** Milliseconds until a Cluster takes a node for dead. Long, since a busy machine is no fault. */
const NODE_TIMEOUT_MS = 5000;

/** With files, everything speaks TLS. */
type Secure = Pick<RedisServerOptions, 'tls'>;

/** A Redis that can be asked, ours or not. */
export interface Holder {
  readonly url: string;
}

export interface RedisFleet {
  /** As it stands in REDIS_URL. */
  readonly url: string;
  /** Where the data are: the only server, the master, the masters of a Cluster. */
  masters(): Promise<readonly Holder[]>;
  /** A command to the master that holds the key. */
  ask(key: string, ...command: Command): Promise<unknown>;
  /** All data of all masters are gone. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export interface SentinelFleet extends RedisFleet {
  readonly servers: readonly [RedisServer, RedisServer];
  readonly sentinels: readonly RedisServer[];
  /** The server that all Sentinels call master now. */
  master(): Promise<RedisServer>;
}

export interface ClusterFleet extends RedisFleet {
  readonly nodes: readonly RedisServer[];
}

export async function startStandalone(secure: Secure = {}): Promise<RedisFleet> {
  const server = await RedisServer.start(secure);
  return {
    url: server.url,
    masters: async () => [server],
    ask: (_key, ...command) => server.ask(...command),
    flush: async () => void (await server.ask('FLUSHALL')),
    stop: () => server.stop(),
  };
}

/** Somebody else's Redis: only keys under `prefix` are touched, and it is not ended. */
export function externalRedis(url: string, prefix: () => string): RedisFleet {
  return {
    url,
    masters: async () => [{ url }],
    ask: async (_key, ...command) => (await askRedis(url, command))[0],
    flush: async () => {
      const keys = await keysAt({ url }, prefix());
      if (keys.length > 0) await askRedis(url, ['DEL', ...keys]);
    },
    stop: async () => {},
  };
}

/** Keys of an application, with the milliseconds each has left; -1 for one that would stay for ever. */
export async function timesToLive(fleet: RedisFleet, prefix: string): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  for (const holder of await fleet.masters()) {
    const keys = await keysAt(holder, prefix);
    const left = await askRedis(holder.url, ...keys.map((key): Command => ['PTTL', key]));
    // -2: it went between the two questions.
    for (const [n, key] of keys.entries()) if (left[n] !== -2) times.set(key, left[n] as number);
  }
  return times;
}

async function keysAt({ url }: Holder, prefix: string): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [page] = await askRedis(url, ['SCAN', cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1000]);
    const [next, keys] = page as [string, string[]];
    found.push(...keys);
    cursor = next;
  } while (cursor !== '0');
  return found;
}

/** Each Sentinel is told of the others, so that they need not wait seconds to find each other. */
export async function startSentinel(secure: Secure = {}): Promise<SentinelFleet> {
  const [masterPort = 0, replicaPort = 0, ...ports] = await freePorts(5);
  const ids = ports.map(() => randomBytes(20).toString('hex'));
  const configuration = (own: number): string =>
    [
      `sentinel myid ${ids[own]}`,
      `sentinel monitor ${SENTINEL_NAME} 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds ${SENTINEL_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${SENTINEL_NAME} ${FAILOVER_TIMEOUT_MS}`,
      `sentinel known-replica ${SENTINEL_NAME} 127.0.0.1 ${replicaPort}`,
      ...ports.flatMap((port, n) =>
        n === own ? [] : [`sentinel known-sentinel ${SENTINEL_NAME} 127.0.0.1 ${port} ${ids[n]}`],
      ),
      '',
    ].join('\n');
  const syncAtOnce = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
  const started: RedisServer[] = [];
  const keep = async (starting: Promise<RedisServer>): Promise<RedisServer> => {
    const server = await starting;
    started.push(server);
    return server;
  };
  const stop = async (): Promise<void> => void (await Promise.all(started.map((server) => server.stop())));
  try {
    const master = await keep(RedisServer.start({ ...secure, port: masterPort, args: syncAtOnce }));
    const replicaOf = ['--replicaof', '127.0.0.1', String(masterPort), ...syncAtOnce];
    const replica = await keep(RedisServer.start({ ...secure, port: replicaPort, args: replicaOf }));
    const sentinels = await Promise.all(
      ports.map((port, n) => keep(RedisServer.start({ ...secure, port, sentinel: configuration(n) }))),
    );
    const fleet = sentinelFleet([master, replica], sentinels, { stop, secure });
    await until(async () => (await replica.info('master_link_status')) === 'up', 'the replica to follow');
    await until(async () => (await fleet.master()) === master, 'the Sentinels to agree');
    return fleet;
  } catch (error) {
    await stop();
    throw error;
  }
}

function sentinelFleet(
  servers: readonly [RedisServer, RedisServer],
  sentinels: readonly RedisServer[],
  { stop, secure }: { readonly stop: () => Promise<void>; readonly secure: Secure },
): SentinelFleet {
  const scheme = secure.tls === undefined ? 'redis' : 'rediss';
  const master = async (): Promise<RedisServer> => {
    let found: RedisServer | undefined;
    await until(async () => {
      const told = await Promise.all(
        sentinels.map((one) => one.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', SENTINEL_NAME)),
      );
      const ports = new Set(told.map((address) => Number((address as [string, string])[1])));
      found = ports.size === 1 ? servers.find(({ port }) => ports.has(port)) : undefined;
      return found !== undefined;
    }, 'the Sentinels to agree on a master');
    return found as RedisServer;
  };
  return {
    url: `${scheme}+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${SENTINEL_NAME}`,
    servers,
    sentinels,
    master,
    masters: async () => [await master()],
    ask: async (_key, ...command) => (await master()).ask(...command),
    flush: async () => void (await (await master()).ask('FLUSHALL')),
    stop,
  };
}

export async function startCluster(
  options: Secure & Pick<RedisServerOptions, 'args'> = {},
): Promise<ClusterFleet> {
  const buses = await freePorts(3);
  const nodes = await Promise.all(
    buses.map((bus) => {
      const timeout = ['--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
      return RedisServer.start({
        ...options,
        args: [
          '--cluster-enabled',
          'yes',
          '--cluster-port',
          String(bus),
          ...timeout,
          ...(options.args ?? []),
        ],
      });
    }),
  );
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    await join(nodes, buses);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: nodes.map(({ url }) => url).join(','),
    nodes,
    masters: async () => nodes,
    ask: async (key, ...command) => {
      const slot = (await nodes[0]?.ask('CLUSTER', 'KEYSLOT', key)) as number;
      const holder = nodes[Math.floor((slot * nodes.length) / SLOTS)] as RedisServer;
      return holder.ask(...command);
    },
    flush: async () => void (await Promise.all(nodes.map((node) => node.ask('FLUSHALL')))),
    stop,
  };
}

/** The n-th node has the n-th part of the slots. */
async function join(nodes: readonly RedisServer[], buses: readonly number[]): Promise<void> {
  const first = (n: number): number => Math.ceil((n * SLOTS) / nodes.length);
  for (const [n, node] of nodes.entries()) {
    await node.ask('CLUSTER', 'SET-CONFIG-EPOCH', n + 1);
    await node.ask('CLUSTER', 'ADDSLOTSRANGE', first(n), first(n + 1) - 1);
  }
  for (const one of nodes) {
    for (const [n, other] of nodes.entries())
      if (other !== one) await one.ask('CLUSTER', 'MEET', '127.0.0.1', other.port, buses[n] as number);
  }
  await until(async () => {
    const infos = await Promise.all(nodes.map((node) => node.ask('CLUSTER', 'INFO')));
    const slots = await Promise.all(nodes.map((node) => node.ask('CLUSTER', 'SLOTS')));
    return (
      infos.every((info) => /cluster_state:ok/.test(String(info))) &&
      slots.every((ranges) => (ranges as unknown[]).length === nodes.length)
    );
  }, 'the Cluster to be ok');
}
