// One address behind which the master changes, as managed services and balancers have it: the old master becomes a replica and ends no
// connection. Who speaks to it must go to the new one, with commands and bus.

import { afterEach, expect, it } from 'vitest';
import { ChaosProxy } from '../support/chaos-proxy.js';
import {
  append,
  freshPrefix,
  offsetsOf,
  outcome,
  startPeer,
  stopPeers,
  suspects,
} from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';

/** Milliseconds: a new connection is tried once a second, and a busy machine adds to it. */
const FOLLOW_MS = 6000;

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  await stopPeers();
  for (const end of endings.splice(0).reverse()) await end();
});

async function startServer(...args: readonly string[]): Promise<RedisServer> {
  const server = await RedisServer.start({ args: [...args, '--repl-diskless-sync-delay', '0'] });
  endings.push(() => server.stop());
  return server;
}

it('is followed, and nobody remains deaf at the old one', { timeout: 40_000 }, async () => {
  const old = await startServer();
  const next = await startServer('--replicaof', '127.0.0.1', String(old.port));
  await until(async () => (await next.info('master_link_status')) === 'up', 'the replica to follow');
  const proxy = await ChaosProxy.start({ target: old.port });
  endings.push(() => proxy.close());
  const settings = { url: `redis://127.0.0.1:${proxy.port}`, prefix: freshPrefix(), beatMs: 100 };
  const [listener, publisher] = [await startPeer(settings), await startPeer(settings)];
  const channel = 'demoted:1';
  await listener.node.subscribe(channel);
  await append(publisher, channel);
  expect(await old.ask('WAIT', 1, 2000)).toBe(1);

  await old.ask('REPLICAOF', '127.0.0.1', next.port);
  expect(await outcome(append(publisher, channel))).toBe('unavailable');
  await until(() => !publisher.node.healthy() && !listener.node.healthy(), 'both to be unwell');
  await next.ask('REPLICAOF', 'NO', 'ONE');
  proxy.aim(next.port);
  const works = async (): Promise<boolean> => (await outcome(append(publisher, channel))) === 'ok';
  await until(works, 'publishes to the new master', FOLLOW_MS);
  await until(() => publisher.node.healthy() && listener.node.healthy(), 'both to be well', FOLLOW_MS);
  await listener.ear.until('suspicion', () => suspects(listener.ear, [channel]));
  // From here on the old one tells nothing of what the new one does.
  await old.ask('REPLICAOF', 'NO', 'ONE');
  await append(publisher, channel);
  const top = (await offsetsOf(publisher, channel)).at(-1);
  await listener.ear.until('live', () => listener.ear.offsets(channel).at(-1) === top);
});
