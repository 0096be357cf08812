// Contract of what time and faults take away: the log after its TTL, the position after ten, everything after a loss of data.

import { describe, expect, it } from 'vitest';
import { ALL, upTo, type Bench } from './cluster.js';

export function expiryContract(bench: () => Bench): void {
  const history = () => ({ size: 10, ttlMs: bench().cluster.timing.ttl });
  const pass = (ms: number) => bench().cluster.pass(ms + bench().cluster.timing.slack);

  describe('expiry', () => {
    it('drops the whole log one TTL after its last publication, and keeps its position', async () => {
      const channel = bench().channel();
      const appended = await bench().appendMany(channel, 3, { history: history() });
      const top = appended[2]?.position;
      await pass(history().ttlMs);
      const slice = await bench().read(1, channel, { after: 3 });
      expect(slice).toEqual({ top, idAtAfter: top?.id, publications: [] });
      expect((await bench().read(1, channel)).publications).toEqual([]);
      expect(await bench().node(2).tops([channel])).toEqual([top]);
    });

    it('keeps the whole log while publications come within the TTL', async () => {
      const channel = bench().channel();
      const { ttl, slack } = bench().cluster.timing;
      for (const node of ALL) {
        await bench().append(node, channel, { history: history() });
        await bench().cluster.pass(ttl / 2 - slack);
      }
      expect((await bench().read(0, channel)).publications.map(({ offset }) => offset)).toEqual(upTo(3));
    });

    it('goes on in the same epoch after the log expired, and knows the id before the first new one', async () => {
      const channel = bench().channel();
      const appended = await bench().appendMany(channel, 3, { history: history() });
      const old = appended[2]?.position;
      await pass(history().ttlMs);
      const { position } = await bench().append(2, channel, { history: history() });
      expect(position).toMatchObject({ epoch: old?.epoch, offset: 4 });
      const slice = await bench().read(0, channel, { after: 3 });
      expect(slice.idAtAfter).toBe(old?.id);
      expect(slice.publications.map(({ offset }) => offset)).toEqual([4]);
      expect((await bench().read(0, channel, { after: 2 })).idAtAfter).toBeUndefined();
    });

    it('forgets the position ten TTLs after the last publication, and begins a new epoch at 1', async () => {
      const channel = bench().channel();
      const [first] = await bench().appendMany(channel, 3, { history: history() });
      await pass(history().ttlMs * 10);
      const { top, publications } = await bench().read(0, channel);
      expect(top).toMatchObject({ offset: 0, id: '' });
      expect(top.epoch).not.toBe(first?.position.epoch);
      expect(publications).toEqual([]);
      const { position } = await bench().append(1, channel, { history: history() });
      expect(position).toMatchObject({ epoch: top.epoch, offset: 1 });
    });

    it('keeps the position between two questions of an instance that listens, however short the history', async () => {
      const channel = bench().channel();
      const { ttl } = bench().cluster.timing;
      const short = { size: 10, ttlMs: ttl / 30 };
      const { position } = await bench().append(0, channel, { history: short });
      await bench().cluster.pass(short.ttlMs * 15);
      expect(await bench().node(1).tops([channel])).toEqual([position]);
      const next = await bench().append(1, channel, { history: short });
      expect(next.position).toMatchObject({ epoch: position.epoch, offset: 2 });
    });

    it('begins a new epoch when a position is lost, and shows nothing of the old one', async () => {
      const channel = bench().channel();
      const [first] = await bench().appendMany(channel, 3);
      await bench().cluster.faults.expireMeta(channel);
      const { position } = await bench().append(1, channel);
      expect(position.offset).toBe(1);
      expect(position.epoch).not.toBe(first?.position.epoch);
      const { publications } = await bench().read(2, channel);
      expect(publications.map(({ id }) => id)).toEqual([position.id]);
    });

    it('begins new epochs when all data are lost', async () => {
      const [channel, empty] = [bench().channel(), bench().channel()];
      const [first] = await bench().appendMany(channel, 3);
      const [before] = await bench().node(0).tops([empty]);
      await bench().cluster.faults.flush();
      const [now, after] = await bench().node(1).tops([channel, empty]);
      expect(now).toMatchObject({ offset: 0, id: '' });
      expect(now?.epoch).not.toBe(first?.position.epoch);
      expect(after?.epoch).not.toBe(before?.epoch);
    });

    it('uses offsets again after lost writes, with other ids under the same epoch', async () => {
      const channel = bench().channel();
      const appended = await bench().appendMany(channel, 5);
      await bench().cluster.faults.loseLast(channel, 2);
      expect(await bench().node(1).tops([channel])).toEqual([appended[2]?.position]);
      const { position } = await bench().append(0, channel);
      expect(position).toMatchObject({ epoch: appended[3]?.position.epoch, offset: 4 });
      expect(position.id).not.toBe(appended[3]?.position.id);
      const { idAtAfter, publications } = await bench().read(2, channel, { after: 3 });
      expect(idAtAfter).toBe(appended[2]?.position.id);
      expect(publications.map(({ id }) => id)).toEqual([position.id]);
    });
  });
}
