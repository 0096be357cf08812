// Entries of presence as Redis keeps them, and the members that follow from them.

import { describe, expect, it } from 'vitest';
import { readEntries, storedOf } from '../../src/backplanes/redis/redis.entries.js';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';

const stored = (user: string, since: number, name?: string): string =>
  storedOf({ session: 's', user, name, since }, 'node');

const membersOf = (entries: readonly string[]) => readEntries(entries).members;

describe('presence entries in Redis', () => {
  it('make one member of all entries of a user, with the earliest time and its name', () => {
    const members = membersOf([stored('ana', 7, 'Late'), stored('ben', 6), stored('ana', 5, 'Early')]);
    expect(members).toEqual([
      { user: 'ana', name: 'Early', connections: 2, since: 5 },
      { user: 'ben', name: undefined, connections: 1, since: 6 },
    ]);
  });

  it('are listed by the time they came, then by user, in whatever order Redis has them', () => {
    const entries = [stored('dora', 2), stored('ben', 2), stored('ana', 9), stored('cleo', 1)];
    const users = membersOf(entries).map(({ user }) => user);
    expect(users).toEqual(['cleo', 'ben', 'dora', 'ana']);
    expect(membersOf(entries.reverse()).map(({ user }) => user)).toEqual(users);
  });

  it('keep every character, and no half of one', () => {
    const [member] = membersOf([stored('a\ud800b "\\\n/\u{1f600}', 1, '\udc00')]);
    expect(member).toMatchObject({ user: 'a\ufffdb "\\\n/\u{1f600}', name: '\ufffd' });
  });

  it('lie in one slot with the counts and the bus of their channel', () => {
    const keys = new RedisKeys('p');
    const tagOf = (key: string): string | undefined => /\{(.+?)\}/.exec(key)?.[1];
    const names = [keys.presence('chat:1'), keys.counts('chat:1'), keys.bus('chat:1')];
    expect(new Set(names).size).toBe(3);
    expect(new Set(names.map(tagOf)).size).toBe(1);
    expect(tagOf(keys.orders())).toBe(tagOf(keys.wake()));
    expect(tagOf(keys.orders())).toBe('orders');
  });
});
