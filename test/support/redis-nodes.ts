// Nodes of the Redis backplane for tests, and what a fault leaves of a channel in Redis. Knows the names of the keys, and no test.

import { randomBytes } from 'node:crypto';
import { RedisBackplane } from '../../src/backplanes/redis/redis.backplane.js';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { redisOptions, type RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { TrunklineError } from '../../src/core/errors.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import type { Appended } from '../../src/core/ports/backplane.js';
import { SYSTEM_CLOCK, SystemRandom } from '../../src/core/ports/time.js';
import type { Publication } from '../../src/protocol/publication.js';
import { RecordingListener } from './recording-listener.js';
import type { RedisFleet } from './redis-fleet.js';

let count = 0;
/** Runs that share a Redis must not meet either. */
const run = randomBytes(4).toString('hex');

/** A prefix that nobody has used. */
export function freshPrefix(): string {
  return `test-${run}-${++count}`;
}

/** Not yet started. */
export function redisNode(settings: RedisSettings): RedisBackplane {
  return new RedisBackplane({
    options: redisOptions.parse(settings),
    clock: SYSTEM_CLOCK,
    random: new SystemRandom(),
    logger: SILENT_LOGGER,
  });
}

/** What a replica that never got the newest `lost` publications of a channel has of it. */
export async function loseLast(
  fleet: RedisFleet,
  { prefix, channel, lost }: { readonly prefix: string; readonly channel: string; readonly lost: number },
): Promise<void> {
  const keys = new RedisKeys(prefix);
  const [meta, stream] = [keys.meta(channel), keys.stream(channel)];
  const top = Number(await fleet.ask(meta, 'HGET', meta, 'o')) - lost;
  const entries = (await fleet.ask(stream, 'XRANGE', stream, '-', '+')) as [string, string[]][];
  const left = (await fleet.ask(stream, 'PTTL', stream)) as number;
  const kept = entries.filter(([id]) => Number.parseInt(id, 10) <= top);
  const head = kept.at(-1)?.[1][1];
  if (head === undefined) throw new Error('Nothing would be left of the channel.');
  // Made anew: a stream that has seen later ids takes no earlier ones.
  await fleet.ask(stream, 'DEL', stream);
  for (const [id, fields] of kept) await fleet.ask(stream, 'XADD', stream, id, ...fields);
  await fleet.ask(stream, 'PEXPIRE', stream, left);
  await fleet.ask(meta, 'HSET', meta, 'o', top, 'i', (JSON.parse(head) as { i: string }).i);
}

export async function expireMeta(fleet: RedisFleet, prefix: string, channel: string): Promise<void> {
  const meta = new RedisKeys(prefix).meta(channel);
  await fleet.ask(meta, 'DEL', meta);
}

/** A started node with the listener that hears it. */
export interface Peer {
  readonly node: RedisBackplane;
  readonly ear: RecordingListener;
}

const peers = new Set<RedisBackplane>();

export async function startPeer(settings: RedisSettings): Promise<Peer> {
  const node = redisNode(settings);
  const ear = new RecordingListener();
  peers.add(node);
  await node.start(ear);
  return { node, ear };
}

/** Ends every node that a test has started. */
export async function stopPeers(): Promise<void> {
  const all = [...peers];
  peers.clear();
  await Promise.all(all.map((node) => node.stop()));
}

const HISTORY = { size: 5000, ttlMs: 600_000 };

export function append(
  { node }: Peer,
  channel: string,
  sent: { readonly data?: string; readonly idempotencyKey?: string } = {},
): Promise<Appended> {
  const { data = '{}', idempotencyKey } = sent;
  const draft = { event: 'message', data, from: undefined, key: undefined };
  return node.append(channel, draft, { history: HISTORY, idempotencyKey, except: undefined });
}

export async function logOf({ node }: Peer, channel: string): Promise<readonly Publication[]> {
  return (await node.read(channel, { after: 0, limit: 5000, reverse: false })).publications;
}

export async function offsetsOf(peer: Peer, channel: string): Promise<number[]> {
  return (await logOf(peer, channel)).map(({ offset }) => offset);
}

/** Whether the listener was told to compare each of the channels with the log. */
export function suspects({ suspects: told }: RecordingListener, channels: readonly string[]): boolean {
  if (told.includes('all')) return true;
  const named = new Set(told.flat());
  return channels.every((channel) => named.has(channel));
}

/** `ok`, or the code of the error. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    if (error instanceof TrunklineError) return error.code;
    throw error;
  }
}

/** The code of the refusal, and how many milliseconds it took. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ readonly code: string; readonly ms: number }> {
  const start = performance.now();
  const code = await outcome(call);
  if (code === 'ok') throw new Error('It was not refused.');
  return { code, ms: performance.now() - start };
}
