// The checker is tested by harm: one event of a good history is dropped, repeated, swapped or renamed, and it must say so.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../support/seeded-random.js';
import { check } from './checker.js';
import type { Rules } from './facts.js';
import { linesOf, type Entry } from './history.js';

const CHANNELS = ['c1', 'c2'];
const READERS = ['s1', 's2', 's3'];
const OPERATIONS = 40;

type Kind<K extends Entry['k']> = Extract<Entry, { k: K }>;

/** Two channels, three readers, refused, unknown and repeated publishes; everything as it should be. */
function goodHistory(seed: number): Entry[] {
  const random = new SeededRandom(seed);
  const entries: Entry[] = [];
  const tops = new Map(CHANNELS.map((channel) => [channel, 0]));
  const log: Entry[] = [];
  let t = 0;
  for (const s of READERS)
    for (const c of CHANNELS) entries.push({ k: 'begin', s, c, epoch: 'e', offset: 0, t: ++t });
  for (let op = 1; op <= OPERATIONS; op++) {
    const c = CHANNELS[random.below(2)] as string;
    const dice = op <= 3 ? op + 6 : random.below(10);
    entries.push({ k: 'invoke', op, n: 1, c, key: `k${op}`, t: ++t });
    if (dice === 9) {
      entries.push({ k: 'fail', op, n: 1, code: 'unavailable', t: ++t });
      continue;
    }
    const offset = (tops.get(c) ?? 0) + 1;
    tops.set(c, offset);
    const place = { epoch: 'e', offset, id: `id${op}` };
    for (const s of READERS) entries.push({ k: 'msg', s, c, ...place, op, t: ++t });
    if (dice === 8) entries.push({ k: 'unknown', op, n: 1, code: 'no answer', t: ++t });
    else entries.push({ k: 'ok', op, n: 1, ...place, dup: false, t: ++t });
    if (dice === 7) {
      entries.push({ k: 'invoke', op, n: 2, c, key: `k${op}`, t: ++t });
      entries.push({ k: 'ok', op, n: 2, ...place, dup: true, t: ++t });
    }
    log.push({ k: 'log', c, ...place, op });
  }
  for (const [c, offset] of tops) entries.push({ k: 'top', c, epoch: 'e', offset });
  return [...entries, ...log];
}

function broken(entries: readonly Entry[], rules: Rules = {}): readonly string[] {
  return check(linesOf(entries), rules).map(({ rule }) => rule);
}

function places(entries: readonly Entry[], kind: Entry['k']): readonly number[] {
  return entries.flatMap(({ k }, at) => (k === kind ? [at] : []));
}

function withEntry(entries: readonly Entry[], at: number, ...instead: readonly Entry[]): Entry[] {
  return [...entries.slice(0, at), ...instead, ...entries.slice(at + 1)];
}

/** Any event of a kind in any good history, harmed. */
function harmed<K extends Entry['k']>(
  kind: K,
  harm: (entries: Entry[], at: number, entry: Kind<K>) => Entry[],
  holds: (rules: readonly string[]) => void,
  rules: Rules = {},
): void {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (seed, choice) => {
      const entries = goodHistory(seed);
      const among = places(entries, kind);
      const at = among[choice % among.length] as number;
      holds(broken(harm(entries, at, entries[at] as Kind<K>), rules));
    }),
    { numRuns: 100 },
  );
}

describe('the checker of histories', () => {
  it('finds nothing in a good history', () => {
    fc.assert(fc.property(fc.nat(), (seed) => broken(goodHistory(seed), { noGaps: true }).length === 0));
  });

  it('sees a delivery that was dropped', () => {
    harmed(
      'msg',
      (entries, at) => withEntry(entries, at),
      (rules) => expect(rules.some((rule) => rule === '5' || rule === '10')).toBe(true),
    );
  });

  it('sees a delivery that came twice', () => {
    harmed(
      'msg',
      (entries, at, entry) => withEntry(entries, at, entry, entry),
      (rules) => expect(rules).toContain('5'),
    );
  });

  it('sees two deliveries that were swapped', () => {
    const swap = (entries: Entry[], at: number, entry: Kind<'msg'>): Entry[] => {
      const same = (other: Entry): other is Kind<'msg'> =>
        other.k === 'msg' && other.s === entry.s && other.c === entry.c;
      const other = entries.findIndex((candidate, index) => index !== at && same(candidate));
      // A channel with one message has nothing to swap: that message is harmed otherwise.
      if (other < 0) return withEntry(entries, at);
      const [one, two] = [entries[at] as Entry, entries[other] as Entry];
      return withEntry(withEntry(entries, at, two), other, one);
    };
    harmed('msg', swap, (rules) => expect(rules.some((rule) => rule === '5' || rule === '10')).toBe(true));
  });

  it('sees a delivery with another id', () => {
    harmed(
      'msg',
      (entries, at, entry) => withEntry(entries, at, { ...entry, id: 'other' }),
      (rules) => expect(rules).toContain('6'),
    );
  });

  it('sees a delivery of what nobody published', () => {
    harmed(
      'msg',
      (entries, at, entry) => withEntry(entries, at, { ...entry, op: 999 }),
      (rules) => expect(rules).toContain('7'),
    );
  });

  it('sees a delivery before its publish', () => {
    harmed(
      'msg',
      (entries, at, entry) => withEntry(entries, at, { ...entry, t: 0 }),
      (rules) => expect(rules).toContain('7'),
    );
  });

  it('sees a delivery of another epoch', () => {
    harmed(
      'msg',
      (entries, at, entry) => withEntry(entries, at, { ...entry, epoch: 'f' }),
      (rules) => expect(rules).toContain('5'),
    );
  });

  it('sees a delivery after the reader has left', () => {
    harmed(
      'msg',
      (entries, at, { s, c, t }) => withEntry(entries, at, { k: 'leave', s, c, t }, entries[at] as Entry),
      (rules) => expect(rules).toContain('9'),
    );
  });

  it('sees a delivery of what was refused', () => {
    const deliver = (entries: Entry[], at: number, { op, t }: Kind<'fail'>): Entry[] => {
      const { c } = entries.find((entry) => entry.k === 'invoke' && entry.op === op) as Kind<'invoke'>;
      return withEntry(entries, at, entries[at] as Entry, {
        k: 'msg',
        s: 's1',
        c,
        epoch: 'e',
        offset: 999,
        id: 'x',
        op,
        t,
      });
    };
    harmed('fail', deliver, (rules) => expect(rules).toContain('4'));
  });

  it('sees an acknowledged publication that is not in the log', () => {
    harmed(
      'log',
      (entries, at) => withEntry(entries, at),
      (rules) => expect(rules).toContain('2'),
    );
  });

  it('sees an acknowledged publication in an epoch that is gone, unless the log was lost', () => {
    const lose = (entries: Entry[]): Entry[] =>
      entries
        .filter(({ k }) => k !== 'msg' && k !== 'log')
        .map((entry) => (entry.k === 'top' ? { ...entry, epoch: 'new', offset: 0 } : entry));
    harmed('ok', lose, (rules) => expect(rules).toContain('acknowledged'));
    harmed('ok', lose, (rules) => expect(rules).not.toContain('acknowledged'), { losesLog: true });
  });

  it('sees one key with two places', () => {
    harmed(
      'ok',
      (entries, at, entry) => withEntry(entries, at, entry, { ...entry, n: 2, offset: 999, id: 'x' }),
      (rules) => expect(rules).toContain('1'),
    );
  });

  it('sees two publications with one key at two places', () => {
    const share = (entries: Entry[]): Entry[] =>
      entries.map((entry) => (entry.k === 'invoke' ? { ...entry, key: 'same' } : entry));
    harmed('ok', share, (rules) => expect(rules).toContain('8'));
  });

  it('sees a publication that stands before one that was answered before it was sent', () => {
    const late = (entries: Entry[]): Entry[] => {
      const oks = entries.filter((entry): entry is Kind<'ok'> => entry.k === 'ok' && entry.n === 1);
      const channelOf = (op: number): string =>
        (entries.find((entry) => entry.k === 'invoke' && entry.op === op) as Kind<'invoke'>).c;
      const first = oks[0] as Kind<'ok'>;
      const after = oks.find(
        ({ op }) => op !== first.op && channelOf(op) === channelOf(first.op),
      ) as Kind<'ok'>;
      // Their places are exchanged everywhere.
      const place = new Map([
        [first.op, after],
        [after.op, first],
      ]);
      return entries.map((entry) => {
        const other = 'op' in entry ? place.get(entry.op) : undefined;
        return other === undefined || !('offset' in entry)
          ? entry
          : { ...entry, offset: other.offset, id: other.id };
      });
    };
    harmed('ok', late, (rules) => expect(rules).toContain('3'));
  });

  it('sees a reader that rests under the top', () => {
    harmed(
      'begin',
      (entries, _at, { s, c }) =>
        entries.filter((entry) => !(entry.k === 'msg' && entry.s === s && entry.c === c)),
      (rules) => expect(rules).toContain('10'),
    );
  });

  it('sees a discontinuity where none may be, and takes it where one may', () => {
    const tell = (entries: Entry[], at: number, { s, c, offset, epoch, t }: Kind<'msg'>): Entry[] =>
      withEntry(entries, at, { k: 'begin', s, c, epoch, offset, why: 'lost', t });
    harmed('msg', tell, (rules) => expect(rules).toContain('discontinuity'), { noGaps: true });
    harmed('msg', tell, (rules) => expect(rules).toEqual([]));
  });

  describe('after a store has lost its last writes', () => {
    /** Two readers see publication 1 and 2; 2 is lost, 3 takes its place, and 4 follows. One of them is told of it. */
    const lossy = (told: boolean): Entry[] => {
      const at = (op: number, offset: number): { epoch: string; offset: number; id: string; op: number } => ({
        ...{ epoch: 'e', offset, id: `id${op}`, op },
      });
      const publish = (op: number, offset: number): Entry[] => [
        { k: 'invoke', op, n: 1, c: 'c1', t: op * 10 },
        { k: 'ok', n: 1, dup: false, t: op * 10 + 1, ...at(op, offset) },
      ];
      const hears = (op: number, offset: number): Entry => ({
        ...{ k: 'msg' as const, s: 's1', c: 'c1', t: op * 10 + 2 },
        ...at(op, offset),
      });
      return [
        { k: 'begin', s: 's1', c: 'c1', epoch: 'e', offset: 0, t: 1 },
        ...[...publish(1, 1), hears(1, 1), ...publish(2, 2), hears(2, 2)],
        { k: 'kept', n: 1, c: 'c1', ...at(1, 1) },
        { k: 'kept', n: 1, c: 'c1', ...at(2, 2) },
        { k: 'lost', t: 25 },
        ...publish(3, 2),
        ...(told
          ? [{ k: 'begin', s: 's1', c: 'c1', epoch: 'e', offset: 2, why: 'id_mismatch', t: 33 } as const]
          : []),
        ...[...publish(4, 3), hears(4, 3)],
        { k: 'top', c: 'c1', epoch: 'e', offset: 3 },
        ...[at(1, 1), at(3, 2), at(4, 3)].map((place): Entry => ({ k: 'log', c: 'c1', ...place })),
      ];
    };

    it('takes offsets that are used anew, and acknowledged publications that are gone', () => {
      expect(broken(lossy(true))).toEqual([]);
    });

    it('sees a reader that was not told, by ids alone', () => {
      expect(broken(lossy(false))).toEqual(['5']);
    });

    it('sees the same without a loss as what it is', () => {
      const without = lossy(true).filter(({ k }) => k !== 'lost' && k !== 'kept');
      expect(broken(without)).toEqual(expect.arrayContaining(['6', '3']));
    });

    it('sees what the rules of a channel keep and the log has not', () => {
      const from = lossy(true).map((entry) => (entry.k === 'top' ? { ...entry, from: 2 } : entry));
      const missing = from.filter(
        ({ k, ...rest }) => !(k === 'log' && 'offset' in rest && rest.offset === 2),
      );
      expect(broken(missing)).toEqual(['2', 'acknowledged']);
    });
  });
});
