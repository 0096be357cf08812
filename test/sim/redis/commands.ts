// The commands that the backplane and its tests send beside scripts: their arguments and replies. Knows no connection.

import type { Random } from '../../../src/core/ports/time.js';
import { replyError } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { at, type Reply } from './scripts/script.js';
import type { StreamEntry } from './stream.js';
import * as values from './values.js';

export interface CommandCall {
  readonly space: Keyspace;
  readonly args: readonly string[];
  readonly random: Random;
  readonly scanPage: number;
}

type Command = (call: CommandCall) => Reply;

const INFO = [
  '# Server',
  'redis_version:7.0.15',
  'loading:0',
  'role:master',
  'connected_slaves:1',
  'aof_enabled:1',
  'maxmemory_policy:noeviction',
  '',
].join('\r\n');

const BUFFER_LIMITS = 'normal 0 0 0 slave 268435456 67108864 60 pubsub 268435456 67108864 60';
const DEFAULT_PAGE = 10;

/** SET key value [PX ms] [NX | XX]. */
function set({ space, args }: CommandCall): Reply {
  const [key, value, ...options] = args;
  const words = options.map((word) => word.toUpperCase());
  const px = words.indexOf('PX');
  const ms = px < 0 ? Infinity : values.whole(options[px + 1]);
  if (ms <= 0) throw replyError("ERR invalid expire time in 'set' command");
  const there = space.has(key as string);
  if ((words.includes('NX') && there) || (words.includes('XX') && !there)) return null;
  space.putString(key as string, value as string, space.now + ms);
  return 'OK';
}

function del({ space, args }: CommandCall): Reply {
  let gone = 0;
  for (const key of args) if (space.remove(key)) gone++;
  return gone;
}

function getdel({ space, args }: CommandCall): Reply {
  const text = space.string(at(args, 0)) ?? null;
  space.remove(at(args, 0));
  return text;
}

function countOf(args: readonly string[], other: number): number {
  const place = args.findIndex((arg) => arg.toUpperCase() === 'COUNT');
  return place < 0 ? other : values.whole(args[place + 1]);
}

function hscan({ space, args, scanPage }: CommandCall): Reply {
  const most = Math.min(countOf(args.slice(2), DEFAULT_PAGE), scanPage);
  const { cursor, pairs } = values.hscan(space, at(args, 0), at(args, 1), most);
  return [cursor, pairs];
}

const listed = ({ id, fields }: StreamEntry): Reply => [id, fields];

const range =
  (read: typeof values.xrange): Command =>
  ({ space, args }) =>
    read(space, at(args, 0), [at(args, 1), at(args, 2)], countOf(args.slice(3), Infinity)).map(listed);

function config({ args }: CommandCall): Reply {
  const [verb, name] = args;
  if (verb?.toUpperCase() !== 'GET') throw replyError('ERR the fake Redis has no settings to change');
  return name === 'client-output-buffer-limit' ? [name, BUFFER_LIMITS] : [];
}

function flushall({ space }: CommandCall): Reply {
  space.clear();
  return 'OK';
}

/** Without those of pub/sub, which concern a connection, and of scripts. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['ping', () => 'PONG'],
  ['hello', () => []],
  ['info', () => INFO],
  ['config', config],
  ['flushall', flushall],
  ['get', ({ space, args }) => space.string(at(args, 0)) ?? null],
  ['set', set],
  ['del', del],
  ['getdel', getdel],
  ['exists', ({ space, args }) => args.filter((key) => space.has(key)).length],
  ['pexpire', ({ space, args }) => values.pexpire(space, at(args, 0), values.whole(args[1]))],
  ['pttl', ({ space, args }) => values.pttl(space, at(args, 0))],
  ['hget', ({ space, args }) => values.hget(space, at(args, 0), at(args, 1))],
  ['hmget', ({ space, args }) => values.hmget(space, at(args, 0), args.slice(1))],
  ['hset', ({ space, args }) => values.hset(space, at(args, 0), args.slice(1))],
  ['hdel', ({ space, args }) => values.hdel(space, at(args, 0), ...args.slice(1))],
  ['hvals', ({ space, args }) => [...(space.hash(at(args, 0))?.values() ?? [])]],
  ['hlen', ({ space, args }) => space.hash(at(args, 0))?.size ?? 0],
  ['hgetall', ({ space, args }) => [...(space.hash(at(args, 0)) ?? [])].flat()],
  ['hscan', hscan],
  ['sadd', ({ space, args }) => values.sadd(space, at(args, 0), args.slice(1))],
  ['srem', ({ space, args }) => values.srem(space, at(args, 0), args.slice(1))],
  ['smembers', ({ space, args }) => [...(space.set(at(args, 0)) ?? [])]],
  [
    'srandmember',
    ({ space, args, random }) => values.srandmember(space, at(args, 0), values.whole(args[1]), random),
  ],
  // All of it, with scores, is all that is asked.
  [
    'zrange',
    ({ space, args }) => values.zmembers(space, at(args, 0)).flatMap(([name, score]) => [name, `${score}`]),
  ],
  ['xlen', ({ space, args }) => space.stream(at(args, 0))?.length ?? 0],
  ['xrange', range(values.xrange)],
  ['xrevrange', range(values.xrevrange)],
  ['keys', ({ space }) => space.keys()],
]);
