// TLS to Redis: who is trusted and who is not, on one server, under Sentinel and in a Cluster, and with the user of the guide.

import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { RecordingListener } from '../support/recording-listener.js';
import { startCluster, startSentinel, startStandalone, type RedisFleet } from '../support/redis-fleet.js';
import { append, freshPrefix, offsetsOf, redisNode, startPeer, stopPeers } from '../support/redis-nodes.js';
import { askRedis, RedisServer } from '../support/redis-server.js';
import { makeCertificates, type Certificates } from '../support/redis-tls.js';

const TIMES = { connectTimeoutMs: 1500, commandTimeoutMs: 1500, beatMs: 50 };
const entry = { session: 's', user: 'ana', name: undefined, since: 1 };

let certificates: Certificates;
beforeAll(() => {
  certificates = makeCertificates();
});
afterEach(() => stopPeers());
afterAll(() => certificates.remove());

/** Why a node does not start. */
async function refusalOf(settings: RedisSettings): Promise<string> {
  const node = redisNode({ ...TIMES, prefix: freshPrefix(), ...settings });
  try {
    await node.start(new RecordingListener());
  } catch (error) {
    expect(error).toMatchObject({ code: 'unavailable' });
    return (error as Error).message;
  }
  await node.stop();
  throw new Error('It started.');
}

/** Log, bus, presence and orders, from one node to another. */
async function works(settings: RedisSettings): Promise<void> {
  const own = { ...TIMES, prefix: freshPrefix(), ...settings };
  const [a, b] = [await startPeer(own), await startPeer(own)];
  const channels = Array.from({ length: 12 }, (_, n) => `tls:${n}`);
  for (const channel of channels) {
    await b.node.subscribe(channel);
    await append(a, channel);
    await b.ear.until('it', () => b.ear.offsets(channel).join() === '1');
    expect(await offsetsOf(b, channel)).toEqual([1]);
  }
  await a.node.enter('tls:0', entry);
  await b.ear.until('the join', () => b.ear.moves('tls:0').join() === 'join ana');
  await a.node.control({ type: 'disconnect', user: 'ana', code: 4003, reason: '' });
  await b.ear.until('the order', () => b.ear.control.length === 1);
}

describe.each([
  ['one server', startStandalone],
  ['a master under Sentinels', startSentinel],
  ['a Cluster', startCluster],
] as const)('TLS to %s', (_name, start) => {
  let fleet: RedisFleet;
  beforeAll(async () => {
    fleet = await start({ tls: certificates.here });
  });
  afterAll(() => fleet.stop());

  it('works with the authority that has signed its certificate', async () => {
    await works({ url: fleet.url, caFile: certificates.here.caFile });
  });

  it('works by a name that the certificate has', async () => {
    const url = fleet.url.replaceAll('127.0.0.1', 'localhost');
    await works({ url, caFile: certificates.here.caFile });
  });

  it.each([
    ['of another authority', () => certificates.strangerCaFile],
    ['of none that Node knows', () => ''],
  ])('refuses a certificate %s, and says so', async (_who, caFile) => {
    const message = await refusalOf({ url: fleet.url, caFile: caFile() });
    expect(message).toMatch(/self.signed certificate|unable to (verify|get)/);
  });

  it('says so when it is spoken to without TLS', async () => {
    await refusalOf({ url: fleet.url.replaceAll('rediss', 'redis') });
  });
});

describe('TLS to a Cluster that gives names', () => {
  it('works with certificates that have names and no addresses', async () => {
    const names = [
      '--cluster-announce-hostname',
      'localhost',
      '--cluster-preferred-endpoint-type',
      'hostname',
    ];
    const fleet = await startCluster({ tls: certificates.byName, args: names });
    try {
      const { caFile } = certificates.byName;
      await works({ url: fleet.url.replaceAll('127.0.0.1', 'localhost'), caFile });
      expect(await refusalOf({ url: fleet.url, caFile })).toMatch(/does not match/);
    } finally {
      await stopPeers();
      await fleet.stop();
    }
  });
});

describe('TLS to a server', () => {
  it('whose certificate is for another host is refused, and the hosts are named', async () => {
    const server = await RedisServer.start({ tls: certificates.elsewhere });
    try {
      const message = await refusalOf({ url: server.url, caFile: certificates.elsewhere.caFile });
      expect(message).toMatch(/127\.0\.0\.1.*redis\.elsewhere\.example|does not match/);
    } finally {
      await server.stop();
    }
  });

  it('begins with a file of authorities that can be read', async () => {
    const node = redisNode({ ...TIMES, url: 'rediss://127.0.0.1:1', caFile: '/nowhere/ca.pem' });
    await expect(node.start(new RecordingListener())).rejects.toThrow(
      /authorities of Redis.*\/nowhere\/ca\.pem/,
    );
  });

  it('lets the user of the guide do all that is needed, and nothing is refused', async () => {
    const guide = readFileSync(new URL('../../docs/guides/scale.md', import.meta.url), 'utf8');
    const [, user = '', rules = ''] = /^user (\S+) (.+)$/m.exec(guide) ?? [];
    const password = / >(\S+)/.exec(rules)?.[1] ?? '';
    const server = await RedisServer.start({ tls: certificates.here });
    try {
      // The check of the pub/sub buffer asks for one thing more, and does without it.
      await askRedis(server.url, ['ACL', 'SETUSER', user, ...rules.split(' '), '+config|get']);
      const url = server.url.replace('rediss://', `rediss://${user}:${password}@`);
      await works({ url, caFile: certificates.here.caFile, prefix: 'trunkline' });
      expect(await server.ask('ACL', 'LOG')).toEqual([]);
      expect(
        await refusalOf({ url: url.replace(password, 'wrong'), caFile: certificates.here.caFile }),
      ).toMatch(/WRONGPASS/);
    } finally {
      await stopPeers();
      await server.stop();
    }
  });
});
