// An acknowledgement that waits for replicas: given when enough of them have the publication, and withheld when they have not.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { soundRedisOptions, type RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { loadConfig } from '../../src/config/config.js';
import { RecordingListener } from '../support/recording-listener.js';
import { startCluster } from '../support/redis-fleet.js';
import {
  append,
  freshPrefix,
  offsetsOf,
  outcome,
  redisNode,
  startPeer,
  stopPeers,
  type Peer,
} from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';

const upTo = (top: number): number[] => Array.from({ length: top }, (_, i) => i + 1);
/** Milliseconds replicas have: little where they shall miss it, and where they shall not, far more than a busy machine takes. */
const WAIT_MS = 300;
const PATIENT = { waitTimeoutMs: 15_000, commandTimeoutMs: 16_000 };
const COMMAND_MS = 1500;
const SLACK_MS = 2000;

const tell = ({ node }: Peer, channel: string): Promise<unknown> =>
  node.append(
    channel,
    { event: 'message', data: '1', from: undefined, key: undefined },
    { history: undefined, idempotencyKey: undefined, except: undefined },
  );

describe('a publish that waits for one replica', () => {
  let master: RedisServer;
  let replica: RedisServer;
  let settings: RedisSettings;
  const followed = async (): Promise<void> =>
    until(async () => (await replica.info('master_link_status')) === 'up', 'the replica to follow');
  beforeAll(async () => {
    const atOnce = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
    master = await RedisServer.start({ args: atOnce });
    replica = await RedisServer.start({
      args: ['--replicaof', '127.0.0.1', String(master.port), ...atOnce],
    });
    await followed();
    // A replica that has just come counts from its first word on.
    await until(async () => (await master.ask('WAIT', 1, 1000)) === 1, 'the replica to be counted');
  });
  beforeEach(() => {
    const times = { waitTimeoutMs: WAIT_MS, commandTimeoutMs: COMMAND_MS };
    settings = { url: master.url, prefix: freshPrefix(), waitReplicas: 1, ...times };
  });
  afterEach(async () => {
    replica.resume();
    await stopPeers();
  });
  afterAll(async () => {
    await replica.stop();
    await master.stop();
  });

  it('is acknowledged when the replica has it', async () => {
    const peer = await startPeer({ ...settings, ...PATIENT });
    const answers = await Promise.all(
      upTo(200).map((n) => append(peer, `kept:${n % 3}`, { idempotencyKey: `${n}` })),
    );
    expect(answers.every(({ duplicate }) => !duplicate)).toBe(true);
    const keys = new RedisKeys(settings.prefix ?? '');
    const held = await Promise.all([0, 1, 2].map((n) => replica.ask('XLEN', keys.stream(`kept:${n}`))));
    expect(held.map(Number).reduce((sum, one) => sum + one)).toBe(200);
  });

  it('is acknowledged when the script had to be sent anew', async () => {
    const [peer, hasty] = [await startPeer({ ...settings, ...PATIENT }), await startPeer(settings)];
    await master.ask('SCRIPT', 'FLUSH');
    expect(await outcome(append(peer, 'flushed:1'))).toBe('ok');
    replica.pause();
    await master.ask('SCRIPT', 'FLUSH');
    expect(await outcome(append(hasty, 'flushed:1'))).toBe('unknown_outcome');
  });

  it('is unknown_outcome when the replica stands still, in the time it was given', async () => {
    await append(await startPeer({ ...settings, ...PATIENT }), 'still:1');
    const peer = await startPeer({ ...settings, commandTimeoutMs: 10_000 });
    replica.pause();
    const start = performance.now();
    const told = await Promise.all([
      outcome(append(peer, 'still:1')),
      outcome(append(peer, 'still:2')),
      outcome(tell(peer, 'still:1')),
    ]);
    expect(performance.now() - start).toBeLessThan(WAIT_MS + SLACK_MS);
    expect(told, 'what leaves nothing behind has nothing to wait for').toEqual([
      'unknown_outcome',
      'unknown_outcome',
      'ok',
    ]);
    expect(await offsetsOf(peer, 'still:1'), 'it is in the log').toEqual([1, 2]);
    replica.resume();
    await followed();
    await until(async () => (await outcome(append(peer, 'still:1'))) === 'ok', 'acknowledgements again');
  });

  it('is unknown_outcome for its idempotency key too, until a replica has the first', async () => {
    const peer = await startPeer(settings);
    const key = { idempotencyKey: 'once' };
    replica.pause();
    expect(await outcome(append(peer, 'again:1', key))).toBe('unknown_outcome');
    expect(await outcome(append(peer, 'again:1', key)), 'again').toBe('unknown_outcome');
    // A connection that has written nothing has nothing to wait for, unless the retry itself writes.
    const other = await startPeer(settings);
    await master.ask('CONFIG', 'RESETSTAT');
    expect(await outcome(append(other, 'again:1', key)), 'elsewhere').toBe('unknown_outcome');
    expect(await master.info('cmdstat_pttl'), 'it has written').toMatch(/^calls=1,/);
    replica.resume();
    await followed();
    let answer: Awaited<ReturnType<typeof append>> | undefined;
    await until(async () => {
      answer = await append(other, 'again:1', key).catch(() => undefined);
      return answer !== undefined;
    }, 'the retry to be confirmed');
    expect(answer).toMatchObject({ duplicate: true, position: { offset: 1 } });
    expect(await offsetsOf(peer, 'again:1')).toEqual([1]);
  });

  it('holds back those behind it for no longer than a command may take', async () => {
    await append(await startPeer({ ...settings, ...PATIENT }), 'behind:1');
    const peer = await startPeer(settings);
    replica.pause();
    const start = performance.now();
    const told = await Promise.all(upTo(1000).map((n) => outcome(append(peer, `behind:${n % 20}`))));
    // A group waits for its own time to be sent and then for its own replicas.
    expect(performance.now() - start).toBeLessThan(COMMAND_MS + 2 * WAIT_MS + SLACK_MS);
    const count = (code: string): number => told.filter((one) => one === code).length;
    expect(count('unknown_outcome')).toBeGreaterThan(0);
    expect(count('unavailable')).toBeGreaterThan(0);
    expect(count('unknown_outcome') + count('unavailable')).toBe(1000);
    const logs = await Promise.all(upTo(20).map((n) => offsetsOf(peer, `behind:${n % 20}`)));
    expect(logs.flat().length, 'none that was refused is there').toBe(1 + count('unknown_outcome'));
  });

  it('is unknown_outcome when there is no replica', async () => {
    const alone = await RedisServer.start();
    try {
      const peer = await startPeer({ ...settings, url: alone.url });
      expect(await outcome(append(peer, 'alone:1'))).toBe('unknown_outcome');
      expect(await offsetsOf(peer, 'alone:1')).toEqual([1]);
    } finally {
      await stopPeers();
      await alone.stop();
    }
  });

  it('is refused at the start to a user who may not WAIT', async () => {
    await master.ask('ACL', 'SETUSER', 'hasty', 'on', '>right', '~*', '&*', '+@all', '-wait');
    const url = `redis://hasty:right@127.0.0.1:${master.port}`;
    const node = redisNode({ ...settings, url });
    await expect(node.start(new RecordingListener())).rejects.toThrow(/NOPERM|permission/i);
  });
});

describe('waiting for replicas in a Cluster', () => {
  it('is refused by the options, and at the start when the client is somebody else’s', async () => {
    const fleet = await startCluster();
    try {
      const parsed = soundRedisOptions.safeParse({ url: fleet.url, waitReplicas: 1 });
      expect(parsed.error?.issues[0]).toMatchObject({ path: ['waitReplicas'] });
      const environment = { REDIS_URL: fleet.url, TRUNKLINE_REDIS_REPLICAS: '1' };
      expect(() => loadConfig(environment)).toThrow(/TRUNKLINE_REDIS_REPLICAS: must be 0 for a Cluster/);
      const node = redisNode({ url: fleet.url, prefix: freshPrefix(), waitReplicas: 1 });
      await expect(node.start(new RecordingListener())).rejects.toThrow(/min-replicas-to-write/);
    } finally {
      await fleet.stop();
    }
  });
});
