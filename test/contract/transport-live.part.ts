// Contract of live reading: everything in order, one cursor for several channels, last values, events that are not kept, copies spared.

import { describe, expect, it } from 'vitest';
import type { TransportAdapter } from '../support/transport-reader.js';
import { pacedPublisher } from '../support/fast-publisher.js';
import { until } from '../support/wait.js';
import { from, type TransportBench } from './transport-bench.js';

export function liveContract(bench: () => TransportBench, { traits }: TransportAdapter): void {
  describe('live', () => {
    it('a reader sees what is published from its opening on, in order, with its place and publisher', async () => {
      const channel = bench().channel();
      await bench().publish(channel, 'before');
      const reader = await bench().open(channel);
      await bench().publish(channel, 'one', 'two', 'three');
      expect(await reader.payloads(3)).toEqual(['one', 'two', 'three']);
      const seen = reader.messages(channel);
      expect(seen.map(({ offset }) => offset)).toEqual([2, 3, 4]);
      const { messages } = await bench().server.realtime.history(channel, { limit: 10 });
      expect(seen.map(({ id }) => id)).toEqual(messages.slice(1).map(({ id }) => id));
      expect(seen[0]).toMatchObject({ channel, event: 'tick', time: expect.any(Number) as number });
      expect(reader.gaps(channel)).toEqual([]);
    });

    it('a message of a user tells who it is from, and its key', async () => {
      const channel = bench().channel();
      const reader = await bench().open(channel);
      const writer = await bench().server.join('ben', { claims: { name: 'Ben' } });
      await writer.publish(channel, { text: 'hi' }, { key: 'k1' });
      const { data } = await reader.next('message');
      expect(data).toMatchObject({ from: { user: 'ben', name: 'Ben' }, key: 'k1', data: { text: 'hi' } });
    });

    it('an opening under a fast publisher has no seam', async () => {
      const channel = bench().channel('large');
      const publisher = pacedPublisher(bench().server.realtime, channel);
      for (let round = 0; round < 5; round++) {
        const reader = await bench().open(channel);
        await until(() => reader.messages(channel).length >= 20 || reader.gaps(channel).length > 0, 'twenty');
        const offsets = reader.messages(channel).map(({ offset }) => offset);
        const [first = 0] = offsets;
        expect(offsets).toEqual(from(first, first + offsets.length - 1));
        reader.cut();
      }
      await publisher.stop();
    });

    it('one reader of several channels sees each in order, and one cursor stands for all', async () => {
      const channels = [bench().channel(), bench().channel(), bench().channel('small')];
      const [a, b, c] = channels as [string, string, string];
      const reader = await bench().open(channels);
      for (const n of [1, 2, 3]) {
        await bench().publish(a, `a${n}`);
        await bench().publish(b, `b${n}`);
      }
      await until(() => reader.messages(a).length === 3 && reader.messages(b).length === 3, 'all six');
      expect(reader.messages(a).map(({ data }) => data)).toEqual(['a1', 'a2', 'a3']);
      expect(reader.messages(b).map(({ data }) => data)).toEqual(['b1', 'b2', 'b3']);
      const cursor = reader.cursor();
      reader.cut();

      await bench().publish(b, 'b4');
      await bench().publish(c, 'c1');
      await bench().publish(a, 'a4');
      const back = await bench().open(channels, { cursor });
      await until(() => back.seen.length >= 3, 'the missed');
      await bench().publish(c, 'c2');
      await until(() => back.seen.length >= 4, 'the live one');
      expect(channels.map((channel) => back.messages(channel).map(({ data }) => data))).toEqual([
        ['a4'],
        ['b4'],
        ['c1', 'c2'],
      ]);
    });

    it('a channel that a cursor does not know begins now, beside one that it knows', async () => {
      const [known, added] = [bench().channel(), bench().channel()] as const;
      await bench().publish(added, 'old');
      const first = await bench().open(known);
      const cursor = first.cursor();
      first.cut();
      await bench().publish(known, 'missed');
      const both = await bench().open([known, added], { cursor });
      await bench().publish(added, 'new');
      await until(() => both.messages(added).length > 0 && both.messages(known).length > 0, 'both');
      expect(both.messages(known).map(({ data }) => data)).toEqual(['missed']);
      expect(both.messages(added).map(({ data }) => data)).toEqual(['new']);
    });

    it('a channel named twice is one channel', async () => {
      const channel = bench().channel();
      const [reader, single] = [
        bench().adapter.name === 'ws' ? await bench().open(channel) : await bench().open([channel, channel]),
        await bench().open(channel),
      ];
      await bench().publish(channel, 1, 2);
      await Promise.all([reader.payloads(2), single.payloads(2)]);
      expect(reader.messages(channel)).toEqual(single.messages(channel));
    });
  });

  describe('a channel that replays its last value', () => {
    it('gives it to a new reader, then what is live', async () => {
      const channel = bench().channel('last');
      await bench().publish(channel, 'first', 'second');
      const reader = await bench().open(channel);
      expect(await reader.payloads(1)).toEqual(['second']);
      await bench().publish(channel, 'third');
      expect(await reader.payloads(1)).toEqual(['third']);
      expect(reader.messages(channel)).toHaveLength(2);
    });

    it('does not give it again to a reader that has it', async () => {
      const channel = bench().channel('last');
      await bench().publish(channel, 'only');
      const reader = await bench().open(channel);
      await reader.payloads(1);
      const cursor = reader.cursor();
      reader.cut();
      const back = await bench().open(channel, { cursor });
      await bench().publish(channel, 'next');
      expect(await back.payloads(1)).toEqual(['next']);
    });

    it('gives nothing while it has none', async () => {
      const channel = bench().channel('last');
      const reader = await bench().open(channel);
      await bench().publish(channel, 'the first of all');
      expect(await reader.payloads(1)).toEqual(['the first of all']);
      expect(reader.messages(channel)).toHaveLength(1);
    });
  });

  describe('an event that is not kept', () => {
    it(`${traits.ephemeral ? 'is heard live' : 'is not heard'}, moves nothing and is never given again`, async () => {
      const channel = bench().channel();
      const reader = await bench().open(channel);
      const before = reader.cursor();
      const heard = (): boolean => reader.messages(channel).some(({ event }) => event === 'typing');
      // Between two polls nobody waits, so it may take more than one.
      for (let tries = 0; tries < 50 && !(traits.ephemeral && heard()); tries++) {
        await bench().server.realtime.publish(channel, 'typing', { on: true });
        await until(() => !traits.ephemeral || heard(), 'it', 100).catch(() => {});
      }
      expect(heard()).toBe(traits.ephemeral);
      expect(reader.cursor()).toBe(before);
      await bench().publish(channel, 'kept');
      const { data } = await reader.next('message', (one) => one.data.event === 'tick');
      expect(data.offset).toBe(1);
      const typing = reader.messages(channel).filter(({ event }) => event === 'typing');
      expect(typing.every((message) => !('offset' in message))).toBe(true);

      const back = await bench().open(channel, { cursor: before });
      await until(() => back.messages(channel).length > 0, 'the kept one');
      expect(back.messages(channel).map(({ event }) => event)).toEqual(['tick']);
    });
  });
}
