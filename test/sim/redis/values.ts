// What the commands and scripts do to values: strings, hashes, sets, sorted sets and streams, each change with its undoing. Takes
// arguments that are in order; knows no wire.

import type { Random } from '../../../src/core/ports/time.js';
import { replyError } from './errors.js';
import type { Keyspace } from './keyspace.js';
import type { StreamEntry } from './stream.js';

const NOT_A_NUMBER = 'ERR hash value is not an integer';
const SMALL_ID = 'ERR The ID specified in XADD is equal or smaller than the target stream top item';

export function hget(space: Keyspace, key: string, field: string): string | null {
  return space.hash(key)?.get(field) ?? null;
}

export function hmget(space: Keyspace, key: string, fields: readonly string[]): (string | null)[] {
  const hash = space.hash(key);
  return fields.map((field) => hash?.get(field) ?? null);
}

/** Names and values in turn. Returns how many fields are new. */
export function hset(space: Keyspace, key: string, pairs: readonly string[]): number {
  const hash = space.madeHash(key);
  const before: (string | undefined)[] = [];
  let added = 0;
  for (let at = 0; at < pairs.length; at += 2) {
    const field = pairs[at] as string;
    const old = hash.get(field);
    before.push(old);
    if (old === undefined) added++;
    hash.set(field, pairs[at + 1] as string);
  }
  space.undo.note(() => {
    for (let at = before.length - 1; at >= 0; at--) {
      const old = before[at];
      const field = pairs[2 * at] as string;
      if (old === undefined) hash.delete(field);
      else hash.set(field, old);
    }
  });
  return added;
}

export function hdel(space: Keyspace, key: string, ...fields: readonly string[]): number {
  const hash = space.hash(key);
  if (hash === undefined) return 0;
  let gone = 0;
  for (const field of fields) {
    const old = hash.get(field);
    if (old === undefined) continue;
    gone++;
    hash.delete(field);
    space.undo.note(() => hash.set(field, old));
  }
  if (hash.size === 0) space.remove(key);
  return gone;
}

export function hincrby(space: Keyspace, key: string, field: string, by: number): number {
  const old = space.hash(key)?.get(field);
  if (old !== undefined && !/^(0|-?[1-9][0-9]*)$/.test(old)) throw replyError(NOT_A_NUMBER);
  const value = Number(old ?? '0') + by;
  hset(space, key, [field, String(value)]);
  return value;
}

export interface Page {
  readonly cursor: string;
  /** Names and values in turn. */
  readonly pairs: string[];
}

/**
 * In the order of a digest of the names: whatever comes and goes between two pages, a field that is there all the time is found, which
 * is what Redis promises. A small hash comes whole.
 */
export function hscan(space: Keyspace, key: string, cursor: string, most: number): Page {
  const hash = space.hash(key);
  if (hash === undefined) return { cursor: '0', pairs: [] };
  if (cursor === '0' && hash.size <= most) return { cursor: '0', pairs: [...hash].flat() };
  const from = Number(cursor);
  const rest = [...hash]
    .map(([field, value]) => ({ place: placeOf(field), field, value }))
    .filter(({ place }) => place >= from)
    .sort((a, b) => a.place - b.place);
  let end = Math.min(most, rest.length);
  // Those of one place go together: a cursor is a place.
  while (end < rest.length && rest[end]?.place === rest[end - 1]?.place) end++;
  const pairs = rest.slice(0, end).flatMap(({ field, value }) => [field, value]);
  return { cursor: String(rest[end]?.place ?? 0), pairs };
}

/** FNV-1a; never 0, which as a cursor is the end. */
function placeOf(field: string): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < field.length; at++) sum = Math.imul(sum ^ field.charCodeAt(at), 0x01000193);
  return (sum >>> 0) + 1;
}

export function sadd(space: Keyspace, key: string, members: readonly string[]): number {
  const set = space.madeSet(key);
  let added = 0;
  for (const member of members) {
    if (set.has(member)) continue;
    added++;
    set.add(member);
    space.undo.note(() => set.delete(member));
  }
  return added;
}

export function srem(space: Keyspace, key: string, members: readonly string[]): number {
  const set = space.set(key);
  if (set === undefined) return 0;
  let gone = 0;
  for (const member of members) {
    if (!set.delete(member)) continue;
    gone++;
    space.undo.note(() => set.add(member));
  }
  if (set.size === 0) space.remove(key);
  return gone;
}

/** Different ones. */
export function srandmember(space: Keyspace, key: string, most: number, random: Random): string[] {
  const members = [...(space.set(key) ?? [])];
  if (members.length <= most) return members;
  for (let at = 0; at < most; at++) {
    const other = at + Math.floor(random.fraction() * (members.length - at));
    const here = members[at] as string;
    members[at] = members[other] as string;
    members[other] = here;
  }
  return members.slice(0, most);
}

export function zadd(space: Keyspace, key: string, score: number, member: string): number {
  const sorted = space.madeSortedSet(key);
  const old = sorted.get(member);
  sorted.set(member, score);
  space.undo.note(() => {
    if (old === undefined) sorted.delete(member);
    else sorted.set(member, old);
  });
  return old === undefined ? 1 : 0;
}

export function zrem(space: Keyspace, key: string, member: string): number {
  const sorted = space.sortedSet(key);
  const old = sorted?.get(member);
  if (sorted === undefined || old === undefined) return 0;
  sorted.delete(member);
  space.undo.note(() => sorted.set(member, old));
  if (sorted.size === 0) space.remove(key);
  return 1;
}

/** By score, then by the bytes of the name. */
export function zmembers(space: Keyspace, key: string): (readonly [member: string, score: number])[] {
  return [...(space.sortedSet(key) ?? [])].sort(
    ([a, first], [b, second]) => first - second || Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
}

export interface Added {
  readonly most: number;
  readonly ms: number;
  readonly seq: number;
  readonly fields: readonly string[];
}

/** Returns the id. */
export function xadd(space: Keyspace, key: string, { most, ms, seq, fields }: Added): string {
  const id = `${ms}-${seq}`;
  const known = space.stream(key);
  const stream = known ?? space.madeStream(key);
  const { lastMs, lastSeq } = stream;
  const dropped = stream.add({ id, ms, seq, fields }, most);
  if (dropped === false) {
    if (known === undefined) space.remove(key);
    throw replyError(SMALL_ID);
  }
  space.undo.note(() => stream.undoAdd(dropped, lastMs, lastSeq));
  return id;
}

/** With an id of the clock of Redis, `*`. */
export function xaddNow(space: Keyspace, key: string, most: number, fields: readonly string[]): string {
  const { lastMs = 0, lastSeq = 0 } = space.stream(key) ?? {};
  const later = space.now > lastMs;
  const ms = later ? space.now : lastMs;
  return xadd(space, key, { most, ms, seq: later ? 0 : lastSeq + 1, fields });
}

export function xrange(
  space: Keyspace,
  key: string,
  [from, to]: readonly [from: string, to: string],
  most = Infinity,
): readonly StreamEntry[] {
  return space.stream(key)?.range(from, to, most) ?? [];
}

export function xrevrange(
  space: Keyspace,
  key: string,
  [from, to]: readonly [from: string, to: string],
  most = Infinity,
): readonly StreamEntry[] {
  return space.stream(key)?.rangeDown(from, to, most) ?? [];
}

/** Milliseconds; -1 without an end, -2 without the key. */
export function pttl(space: Keyspace, key: string): number {
  const until = space.until(key);
  if (until === undefined) return -2;
  return until === Infinity ? -1 : until - space.now;
}

export function pexpire(space: Keyspace, key: string, ms: number): number {
  return space.endAt(key, space.now + ms) ? 1 : 0;
}

/** Whole numbers of the commands, in their text. */
export function whole(text: string | null | undefined): number {
  if (text === null || text === undefined || !/^(0|-?[1-9][0-9]*)$/.test(text))
    throw replyError('ERR value is not an integer or out of range');
  return Number(text);
}
