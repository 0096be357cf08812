// Contract of the log: offsets, ids, epochs, exact size, and reads at all edges.

import { describe, expect, it } from 'vitest';
import { isEpoch, isPublicationId } from '../../src/protocol/position.js';
import { ALL, HISTORY, upTo, type Bench } from './cluster.js';

export function logContract(bench: () => Bench): void {
  describe('log', () => {
    it('gives the first publication offset 1, a random id and the epoch of the channel', async () => {
      const { position, duplicate } = await bench().append(0, 'first:1');
      expect(duplicate).toBe(false);
      expect(position.offset).toBe(1);
      expect(isPublicationId(position.id)).toBe(true);
      expect(isEpoch(position.epoch)).toBe(true);
      expect((await bench().read(1, 'first:1')).top).toEqual(position);
    });

    it('gives offsets 1 to n without holes to appends from three nodes at once, and one order to all', async () => {
      const channel = await bench().heardByAll();
      const waves = ALL.flatMap((node) =>
        upTo(40).map((n) => bench().append(node, channel, { data: `${n}` })),
      );
      const appended = await Promise.all(waves);
      const offsets = appended.map(({ position }) => position.offset);
      expect(offsets.toSorted((a, b) => a - b)).toEqual(upTo(120));
      expect(new Set(appended.map(({ position }) => position.id)).size).toBe(120);
      expect(new Set(appended.map(({ position }) => position.epoch)).size).toBe(1);
      const heard = await Promise.all(ALL.map((node) => bench().hearsAll(node, channel, 120)));
      expect(heard[1]).toEqual(heard[0]);
      expect(heard[2]).toEqual(heard[0]);
      const idOf = new Map(appended.map(({ position }) => [position.offset, position.id]));
      expect(heard[0]?.map(({ id }) => id)).toEqual(upTo(120).map((offset) => idOf.get(offset)));
    });

    it('gives a later publication a greater offset, whichever nodes took the two', async () => {
      const channel = bench().channel();
      const appended = await bench().appendMany(channel, 12);
      expect(appended.map(({ position }) => position.offset)).toEqual(upTo(12));
    });

    it('keeps a publication as it was given, payload text byte for byte', async () => {
      const channel = await bench().heardByAll();
      const data = '{ "a" : 1.50e0,\n "é":"\\u00e9", "big":12345678901234567890, "a":2 }';
      const from = { user: 'ana', name: 'Ana é' };
      const { position } = await bench().append(0, channel, { event: 'note', data, from, key: 'k 1' });
      const expected = { offset: 1, id: position.id, event: 'note', data, from, key: 'k 1' };
      const [kept] = (await bench().read(2, channel)).publications;
      const [heard] = await bench().hearsAll(1, channel, 1);
      expect(kept).toMatchObject(expected);
      expect(heard).toEqual(kept);
      expect(Number.isSafeInteger(kept?.time)).toBe(true);
      expect(kept?.time).toBeGreaterThan(1_600_000_000_000);
    });

    it('leaves out publisher and key when there are none', async () => {
      const channel = bench().channel();
      await bench().append(0, channel);
      const [kept] = (await bench().read(1, channel)).publications;
      expect(kept?.from).toBeUndefined();
      expect(kept?.key).toBeUndefined();
    });

    it('keeps exactly the newest publications of its size', async () => {
      const channel = bench().channel();
      await bench().appendMany(channel, 8, { history: { ...HISTORY, size: 5 } });
      const { top, publications } = await bench().read(1, channel);
      expect(top.offset).toBe(8);
      expect(publications.map(({ offset }) => offset)).toEqual([4, 5, 6, 7, 8]);
    });

    it('follows a size that changes between publications', async () => {
      const channel = bench().channel();
      await bench().appendMany(channel, 6, { history: { ...HISTORY, size: 6 } });
      await bench().append(0, channel, { history: { ...HISTORY, size: 2 } });
      expect((await bench().read(0, channel)).publications.map(({ offset }) => offset)).toEqual([6, 7]);
      await bench().append(1, channel, { history: { ...HISTORY, size: 4 } });
      expect((await bench().read(0, channel)).publications.map(({ offset }) => offset)).toEqual([6, 7, 8]);
    });

    it('knows the id at `after` for what it keeps, for the top and for the one just trimmed, and no further', async () => {
      const channel = bench().channel();
      const appended = await bench().appendMany(channel, 8, { history: { ...HISTORY, size: 5 } });
      const idAfter = async (after: number) => (await bench().read(2, channel, { after })).idAtAfter;
      const ids = appended.map(({ position }) => position.id);
      expect(await idAfter(8)).toBe(ids[7]);
      expect(await idAfter(7)).toBe(ids[6]);
      expect(await idAfter(4)).toBe(ids[3]);
      expect(await idAfter(3), 'the one just trimmed').toBe(ids[2]);
      expect(await idAfter(2)).toBeUndefined();
      expect(await idAfter(9)).toBeUndefined();
      expect(await idAfter(0)).toBeUndefined();
    });

    it('reads forward: what is after, oldest first, at most the limit', async () => {
      const channel = bench().channel();
      await bench().appendMany(channel, 8, { history: { ...HISTORY, size: 5 } });
      const forward = async (after: number, limit: number) =>
        (await bench().read(0, channel, { after, limit })).publications.map(({ offset }) => offset);
      expect(await forward(0, 1000)).toEqual([4, 5, 6, 7, 8]);
      expect(await forward(0, 2)).toEqual([4, 5]);
      expect(await forward(2, 1000), 'past a trimmed one').toEqual([4, 5, 6, 7, 8]);
      expect(await forward(3, 1000), 'at the edge of the trim').toEqual([4, 5, 6, 7, 8]);
      expect(await forward(5, 2)).toEqual([6, 7]);
      expect(await forward(7, 1)).toEqual([8]);
      expect(await forward(8, 1000)).toEqual([]);
      expect(await forward(9, 1000)).toEqual([]);
      expect(await forward(Number.MAX_SAFE_INTEGER, 1000)).toEqual([]);
    });

    it('reads in reverse: what is before, newest first, at most the limit; from the top with 0', async () => {
      const channel = bench().channel();
      await bench().appendMany(channel, 8, { history: { ...HISTORY, size: 5 } });
      const reverse = async (after: number, limit: number) =>
        (await bench().read(1, channel, { after, limit, reverse: true })).publications.map(
          ({ offset }) => offset,
        );
      expect(await reverse(0, 1000)).toEqual([8, 7, 6, 5, 4]);
      expect(await reverse(0, 2)).toEqual([8, 7]);
      expect(await reverse(8, 1000)).toEqual([7, 6, 5, 4]);
      expect(await reverse(6, 1)).toEqual([5]);
      expect(await reverse(5, 1000)).toEqual([4]);
      expect(await reverse(4, 1000)).toEqual([]);
      expect(await reverse(1, 1000)).toEqual([]);
      expect(await reverse(9, 1)).toEqual([8]);
      expect(await reverse(Number.MAX_SAFE_INTEGER, 3)).toEqual([8, 7, 6]);
    });

    it('gives an empty channel an epoch that all nodes see and the first publication keeps', async () => {
      const channel = bench().channel();
      const { top, idAtAfter, publications } = await bench().read(0, channel);
      expect(top).toEqual({ epoch: top.epoch, offset: 0, id: '' });
      expect(isEpoch(top.epoch)).toBe(true);
      expect(idAtAfter).toBeUndefined();
      expect(publications).toEqual([]);
      expect(await bench().node(1).tops([channel])).toEqual([top]);
      const { position } = await bench().append(2, channel);
      expect(position).toMatchObject({ epoch: top.epoch, offset: 1 });
    });

    it('gives each channel its own epoch and its own offsets', async () => {
      const [a, b] = [bench().channel(), bench().channel()];
      const { position: first } = await bench().append(0, a);
      const { position: second } = await bench().append(0, b);
      expect(second.offset).toBe(1);
      expect(second.epoch).not.toBe(first.epoch);
      expect((await bench().read(0, a)).publications).toHaveLength(1);
    });

    it('tells newest positions in the order asked, for known, empty and repeated channels', async () => {
      const [a, b, empty] = [bench().channel(), bench().channel(), bench().channel()];
      const [, { position: topA }] = (await bench().appendMany(a, 2)) as [unknown, { position: object }];
      const { position: topB } = await bench().append(1, b);
      const tops = await bench().node(2).tops([b, empty, a, b]);
      expect(tops).toEqual([topB, { epoch: tops[1]?.epoch, offset: 0, id: '' }, topA, topB]);
      expect(await bench().node(0).tops([])).toEqual([]);
    });

    it.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'a:b:c', 'ünï:çødé', 'x'.repeat(200)])(
      'takes the channel name %s',
      async (channel) => {
        await bench().heardByAll(channel);
        const { position } = await bench().append(0, channel, { event: '__proto__', key: '__proto__' });
        expect(position.offset).toBe(1);
        const [heard] = await bench().hearsAll(2, channel, 1);
        expect(heard).toMatchObject({ event: '__proto__', key: '__proto__' });
        expect((await bench().read(1, channel)).publications).toEqual([heard]);
        expect(await bench().node(1).tops([channel])).toEqual([position]);
      },
    );
  });
}
