// Contract of resume: exactly the missed, in order, on the same and on every other transport; or a refusal that says why.

import { describe, expect, it } from 'vitest';
import { encodeCursor } from '../../src/protocol/cursor.js';
import type { Position } from '../../src/protocol/position.js';
import { TRANSPORTS } from '../support/transport-adapters.js';
import type { Reader } from '../support/transport-reader.js';
import { pacedPublisher } from '../support/fast-publisher.js';
import { until } from '../support/wait.js';
import { from, OUTBOX_BYTES, SMALL_SIZE, type TransportBench } from './transport-bench.js';

const RESUME_LIMIT = 5000;
/** 15 publications of which the last 10 are kept: 6 … 15. */
const TOP = 15;

const cursorAt = (channel: string, position: Position): string =>
  encodeCursor(new Map([[channel, position]]));

export function resumeContract(bench: () => TransportBench): void {
  /** A channel with this many publications, and the places between them. */
  async function filled(family: string, published: number): Promise<{ channel: string; places: Position[] }> {
    const channel = bench().channel(family);
    const places: Position[] = [];
    for (let n = 1; n <= published; n++) {
      const { epoch, offset, id } = await bench().server.realtime.publish(channel, 'tick', n);
      if (n === 1) places.push({ epoch, offset: 0, id: '' });
      places.push({ epoch, offset, id });
    }
    return { channel, places };
  }

  /** Publishes a last one and waits for it: what came before it is what the resume gave. */
  async function givenTo(reader: Reader, channel: string): Promise<readonly unknown[]> {
    const mark = `end-${channel}`;
    await bench().publish(channel, mark);
    await reader.next('message', ({ data }) => data.data === mark);
    const payloads = reader.messages(channel).map(({ data }) => data);
    expect(payloads.at(-1)).toBe(mark);
    return payloads.slice(0, -1);
  }

  describe('a resume', () => {
    it.each([
      ['at the top', TOP, []],
      ['one below the top', TOP - 1, from(TOP, TOP)],
      ['in the midst of what is kept', TOP - 5, from(TOP - 4, TOP)],
      ['just before the oldest kept', TOP - SMALL_SIZE, from(TOP - SMALL_SIZE + 1, TOP)],
    ] as const)('gives exactly the missed: %s', async (_where, offset, missed) => {
      const { channel, places } = await filled('small', TOP);
      const reader = await bench().open(channel, { cursor: cursorAt(channel, places[offset] as Position) });
      expect(reader.begun.get(channel)).toMatchObject({ recovered: true, reason: undefined });
      expect(await givenTo(reader, channel)).toEqual(missed);
      expect(reader.gaps(channel)).toEqual([]);
    });

    it(`gives ${RESUME_LIMIT} messages in order`, async () => {
      const { channel, places } = await filled('large', RESUME_LIMIT);
      const reader = await bench().open(channel, { cursor: cursorAt(channel, places[0] as Position) });
      await until(() => reader.messages(channel).length >= RESUME_LIMIT, 'all of them');
      expect(reader.messages(channel).map(({ offset }) => offset)).toEqual(from(1, RESUME_LIMIT));
    });

    it('a second time without traffic gives nothing', async () => {
      const { channel, places } = await filled('small', 5);
      const first = await bench().open(channel, { cursor: cursorAt(channel, places[2] as Position) });
      await until(() => first.messages(channel).length === 3, 'the missed');
      const cursor = first.cursor();
      first.cut();
      for (let again = 0; again < 2; again++) {
        const next = await bench().open(channel, { cursor });
        expect(next.begun.get(channel)).toMatchObject({ recovered: true });
        expect(next.cursor()).toBe(cursor);
        expect(next.seen).toEqual([]);
        next.cut();
      }
      const last = await bench().open(channel, { cursor });
      expect(await givenTo(last, channel)).toEqual([]);
    });

    it('works when no message was ever received', async () => {
      const channel = bench().channel('small');
      const reader = await bench().open(channel);
      const cursor = reader.cursor();
      expect(reader.seen).toEqual([]);
      reader.cut();
      await bench().publish(channel, 1, 2, 3);
      const back = await bench().open(channel, { cursor });
      expect(back.begun.get(channel)).toMatchObject({ recovered: true });
      expect(await givenTo(back, channel)).toEqual([1, 2, 3]);
    });

    it('works at once while the old connection hangs, which cannot harm the new one later', async () => {
      const channel = bench().channel('small');
      const old = await bench().open(channel);
      await bench().publish(channel, 'before');
      await old.payloads(1);
      const cursor = old.cursor();
      old.pause();
      await bench().publish(channel, 'missed');
      const fresh = await bench().open(channel, { cursor });
      expect(await fresh.payloads(1)).toEqual(['missed']);
      old.resume();
      expect(await old.payloads(1)).toEqual(['missed']);
      await bench().publish(channel, 'live');
      expect(await fresh.payloads(1)).toEqual(['live']);
      old.cut();
      await bench().publish(channel, 'after');
      expect(await fresh.payloads(1)).toEqual(['after']);
      expect(fresh.messages(channel).map(({ data }) => data)).toEqual(['missed', 'live', 'after']);
    });

    it('again and again under a fast publisher leaves no gap and no repeat', async () => {
      const channel = bench().channel('large');
      const publisher = pacedPublisher(bench().server.realtime, channel);
      const offsets: number[] = [];
      let cursor: string | undefined;
      for (let round = 0; round < 12; round++) {
        const reader: Reader = await bench().open(channel, { cursor });
        const before = offsets.length;
        expect(reader.begun.get(channel)?.reason).toBeUndefined();
        await until(() => reader.messages(channel).length >= 10, 'some messages');
        reader.cut();
        cursor = reader.cursor();
        offsets.push(...reader.messages(channel).map(({ offset }) => offset));
        expect(offsets.length).toBeGreaterThan(before);
        expect(reader.gaps(channel)).toEqual([]);
      }
      await publisher.stop();
      const [first = 0] = offsets;
      expect(offsets).toEqual(from(first, first + offsets.length - 1));
    });
  });

  describe('a change of transport', () => {
    it.each(TRANSPORTS.map((other) => [other.name, other] as const))(
      'to %s and back gives exactly the missed',
      async (_name, other) => {
        const channels = [bench().channel(), bench().channel('small')] as const;
        const publishBoth = async (...payloads: readonly string[]): Promise<void> => {
          for (const channel of channels) await bench().publish(channel, ...payloads);
        };
        const told: unknown[][] = [[], []];
        let cursor: string | undefined;
        let round = 0;
        for (const adapter of [bench().adapter, other, bench().adapter]) {
          const reader: Reader = await bench().open(channels, { cursor }, adapter);
          await publishBoth(`live ${round}`);
          const last = (channel: string): unknown => reader.messages(channel).at(-1)?.data;
          await until(() => channels.every((one) => last(one) === `live ${round}`), 'the live ones');
          reader.cut();
          cursor = reader.cursor();
          channels.forEach((channel, at) =>
            told[at]?.push(...reader.messages(channel).map(({ data }) => data)),
          );
          await publishBoth(`missed ${round}`, `also missed ${round}`);
          round++;
        }
        const expected = [0, 1, 2]
          .flatMap((n) => [`live ${n}`, `missed ${n}`, `also missed ${n}`])
          .slice(0, -2);
        expect(told).toEqual([expected, expected]);
      },
    );
  });

  describe('a resume is refused, with its reason and nothing else,', () => {
    it.each([
      ['expired', 'one before what is kept', { offset: TOP - SMALL_SIZE - 1 }],
      ['expired', 'from the beginning when that is gone', { offset: 0, id: '' }],
      ['ahead', 'one above the top', { offset: TOP + 1, id: '' }],
      ['ahead', 'at the largest offset there is', { offset: Number.MAX_SAFE_INTEGER, id: '' }],
      ['epoch_changed', 'of another epoch', { epoch: 'another', offset: 3, id: '' }],
      ['id_mismatch', 'at the top with another id', { offset: TOP, id: 'another' }],
      ['id_mismatch', 'below the top with another id', { offset: TOP - 2, id: 'another' }],
    ] as const)('%s: %s', async (reason, _where, change) => {
      const { channel, places } = await filled('small', TOP);
      const place = places[Math.min(change.offset, TOP)] as Position;
      const reader = await bench().open(channel, { cursor: cursorAt(channel, { ...place, ...change }) });
      expect(reader.begun.get(channel)).toMatchObject({ recovered: false, reason });
      expect(await givenTo(reader, channel), 'and it goes on from the top').toEqual([]);
      const cursor = reader.cursor();
      reader.cut();
      await bench().publish(channel, 'later');
      const back = await bench().open(channel, { cursor });
      expect(await givenTo(back, channel), 'from which it can resume').toEqual(['later']);
    });

    it('too_many: one message more than a resume gives', async () => {
      const { channel, places } = await filled('large', RESUME_LIMIT + 1);
      const reader = await bench().open(channel, { cursor: cursorAt(channel, places[0] as Position) });
      expect(reader.begun.get(channel)).toMatchObject({ recovered: false, reason: 'too_many' });
      expect(await givenTo(reader, channel)).toEqual([]);
    });

    it('too_many: more bytes than an outbox takes', async () => {
      const { channel, places } = await filled('large', 1);
      const payload = 'x'.repeat(30_000);
      for (let sum = 0; sum <= OUTBOX_BYTES; sum += payload.length) await bench().publish(channel, payload);
      const reader = await bench().open(channel, { cursor: cursorAt(channel, places[1] as Position) });
      expect(reader.begun.get(channel)).toMatchObject({ recovered: false, reason: 'too_many' });
      expect(await givenTo(reader, channel)).toEqual([]);
    });

    it('when the history has outlived its time', async () => {
      const { channel, places } = await filled('brief', 3);
      await until(async () => {
        const { messages } = await bench().server.realtime.history(channel);
        return messages.length === 0;
      }, 'the history to expire');
      const reader = await bench().open(channel, { cursor: cursorAt(channel, places[1] as Position) });
      expect(['expired', 'epoch_changed']).toContain(reader.begun.get(channel)?.reason);
      expect(await givenTo(reader, channel)).toEqual([]);
    });

    it('but a channel that replays its last value still gives it', async () => {
      const { channel } = await filled('last', 3);
      const cursor = cursorAt(channel, { epoch: 'another', offset: 1, id: '' });
      const reader = await bench().open(channel, { cursor });
      expect(reader.begun.get(channel)).toMatchObject({ recovered: false, reason: 'epoch_changed' });
      expect(await givenTo(reader, channel)).toEqual([3]);
      const again = await bench().open(channel, { cursor: reader.cursor() });
      expect(await givenTo(again, channel), 'once').toEqual([]);
    });

    it('in one channel, while another one is recovered', async () => {
      const [good, bad] = [await filled('small', 3), await filled('small', 3)];
      const cursor = encodeCursor(
        new Map([
          [good.channel, good.places[1] as Position],
          [bad.channel, { epoch: 'another', offset: 1, id: '' }],
        ]),
      );
      const reader = await bench().open([good.channel, bad.channel], { cursor });
      expect(reader.begun.get(good.channel)).toMatchObject({ recovered: true });
      expect(reader.begun.get(bad.channel)).toMatchObject({ recovered: false, reason: 'epoch_changed' });
      expect(await givenTo(reader, good.channel)).toEqual([2, 3]);
      expect(await givenTo(reader, bad.channel)).toEqual([]);
    });
  });
}
