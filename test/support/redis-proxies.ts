// A Cluster whose nodes are met through proxies only, so that connections to one of them can be harmed. Knows no test.

import { ChaosProxy } from './chaos-proxy.js';
import { startCluster, type ClusterFleet } from './redis-fleet.js';
import { until } from './wait.js';

export interface ProxiedCluster {
  readonly fleet: ClusterFleet;
  /** Through the proxies. */
  readonly url: string;
  /** One for each node, in the order of the nodes. */
  readonly proxies: readonly ChaosProxy[];
  stop(): Promise<void>;
}

/** The nodes tell everybody the ports of their proxies. */
export async function startProxiedCluster(): Promise<ProxiedCluster> {
  const fleet = await startCluster();
  const proxies = await Promise.all(
    fleet.nodes.map(({ port }) => ChaosProxy.start({ target: port, lifeMs: 600_000 })),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await fleet.stop();
  };
  const ports = proxies.map(({ port }) => port);
  try {
    await Promise.all(
      fleet.nodes.map((node, at) =>
        node.ask('CONFIG', 'SET', 'cluster-announce-port', proxies[at]?.port as number),
      ),
    );
    await until(async () => {
      const slots = await Promise.all(fleet.nodes.map((node) => node.ask('CLUSTER', 'SLOTS')));
      return slots.every((ranges) =>
        (ranges as [number, number, [string, number]][]).every(([, , [, port]]) => ports.includes(port)),
      );
    }, 'the Cluster to tell the ports of the proxies');
  } catch (error) {
    await stop();
    throw error;
  }
  return { fleet, url: ports.map((port) => `redis://127.0.0.1:${port}`).join(','), proxies, stop };
}
