// A whole Cluster that is away: its client keeps what it is asked until it is back, so nobody may wait for that.

import { afterEach, expect, it } from 'vitest';
import { startCluster, type ClusterFleet } from '../support/redis-fleet.js';
import { append, freshPrefix, refusal, startPeer, stopPeers } from '../support/redis-nodes.js';
import { until } from '../support/wait.js';

const COMMAND_MS = 1000;
/** Milliseconds that a busy machine may add. */
const SLACK_MS = 1500;

let fleet: ClusterFleet;
afterEach(async () => {
  await stopPeers();
  await fleet.stop();
});

it(
  'is `unavailable` at once for all that is asked, and an instance stops without it',
  { timeout: 40_000 },
  async () => {
    fleet = await startCluster();
    const peer = await startPeer({
      url: fleet.url,
      prefix: freshPrefix(),
      commandTimeoutMs: COMMAND_MS,
      beatMs: 100,
    });
    await peer.node.enter('away', { session: 's', user: 'ana', name: undefined, since: 1 });
    await Promise.all(fleet.nodes.map((node) => node.kill()));
    await until(() => !peer.node.healthy(), 'the loss to be noticed', 2 * COMMAND_MS + SLACK_MS);
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      append: () => append(peer, 'away'),
      tops: () => peer.node.tops(['away']),
      subscribe: () => peer.node.subscribe('away'),
      enter: () => peer.node.enter('away', { session: 't', user: 'ben', name: undefined, since: 2 }),
      members: () => peer.node.members('away'),
      control: () => peer.node.control({ type: 'refresh', user: 'ana' }),
      keep: () => peer.node.keep('k', 'text', 1000),
      tally: () => peer.node.tally('n', 1, 1000),
      gather: () => peer.node.gather({ type: 'stats' }),
    };
    for (const [name, call] of Object.entries(calls)) {
      const { code, ms } = await refusal(call());
      expect(code, name).toBe('unavailable');
      expect(ms, name).toBeLessThan(SLACK_MS);
    }
    const start = performance.now();
    await peer.node.stop();
    expect(performance.now() - start).toBeLessThan(COMMAND_MS + SLACK_MS);
  },
);
