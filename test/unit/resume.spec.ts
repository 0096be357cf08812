// Resume at every edge: exactly the missed publications in order, or a refusal with its reason; never a part.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Position } from '../../src/protocol/position.js';
import { TestCluster, type ClusterSettings, type TestClient } from '../support/core-node.js';

const CHANNEL = 'room';
const SIZE = 10;
const TTL_MS = 60_000;
const TOP = 20;

type Since = Partial<Record<keyof Position, unknown>>;

describe('resume', () => {
  let cluster: TestCluster;
  let client: TestClient;
  /** The position after each publication, by offset. */
  let positions: Position[];

  async function start(settings: ClusterSettings = {}): Promise<void> {
    const rules = { '*': { history: { size: SIZE, ttlMs: TTL_MS } } };
    cluster = await TestCluster.start({ rules, ...settings });
    client = await cluster.node.connect('ana');
    positions = [cluster.store.top(CHANNEL)];
  }
  beforeEach(async () => start());
  afterEach(async () => cluster.stop());

  async function publish(count: number, channel = CHANNEL): Promise<void> {
    for (let i = 0; i < count; i++) positions.push(await cluster.node.publish(channel));
  }

  const at = (offset: number): Position => positions[offset] as Position;

  /** A fresh session that resumes: what it was answered, its messages as offsets. */
  async function resume(since: Since, channel = CHANNEL) {
    const session = await cluster.node.connect('ana');
    const reply = await session.ok('subscribe', { channel, since });
    const messages = (reply['messages'] as { offset: number; id: string }[]).map(({ offset }) => offset);
    const { recovered, reason, offset, epoch, id, recoverable } = reply;
    return { recovered, reason, messages, offset, epoch, id, recoverable, session };
  }

  const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  describe('with 20 published and 10 kept', () => {
    beforeEach(async () => publish(TOP));

    it.each<[string, number, { messages: number[] } | { reason: string }]>([
      ['at the top', TOP, { messages: [] }],
      ['one before the top', TOP - 1, { messages: [TOP] }],
      ['in the middle', 15, { messages: upTo(16, 20) }],
      ['at the oldest kept', TOP - SIZE + 1, { messages: upTo(12, 20) }],
      ['just before the oldest kept', TOP - SIZE, { messages: upTo(11, 20) }],
      ['one further back', TOP - SIZE - 1, { reason: 'expired' }],
      ['at the beginning', 0, { reason: 'expired' }],
      ['beyond the top', TOP + 1, { reason: 'ahead' }],
      ['far beyond the top', Number.MAX_SAFE_INTEGER, { reason: 'ahead' }],
    ])('%s (%i)', async (_where, offset, expected) => {
      const known = positions[offset] ?? { ...at(TOP), offset };
      for (const since of [known, { epoch: known.epoch, offset }]) {
        const answer = await resume(since);
        expect(answer).toMatchObject({ messages: [], recovered: 'messages' in expected, ...expected });
        expect({ epoch: answer.epoch, offset: answer.offset, id: answer.id }).toEqual(at(TOP));
        expect(answer.recoverable).toBe(true);
      }
    });

    it.each([
      ['at the top', TOP],
      ['in the middle', 15],
      ['just before the oldest kept', TOP - SIZE],
    ])('refuses an id that is not the one %s', async (_where, offset) => {
      const answer = await resume({ ...at(offset), id: 'another' });
      expect(answer).toMatchObject({ recovered: false, reason: 'id_mismatch', messages: [] });
    });

    it('refuses another epoch, whatever the offset', async () => {
      for (const offset of [0, 15, TOP, TOP + 1]) {
        const answer = await resume({ ...at(TOP), epoch: 'another', offset });
        expect(answer).toMatchObject({ recovered: false, reason: 'epoch_changed', messages: [] });
      }
      expect(await resume({ epoch: 'none', offset: 0 })).toMatchObject({ reason: 'epoch_changed' });
    });

    it.each([
      [{ offset: -1 }],
      [{ offset: 2 ** 53 }],
      [{ offset: 'abc' }],
      [{ offset: 1.5 }],
      [{ offset: null }],
      [{ epoch: '' }],
      [{ epoch: 7 }],
      [{ id: 'a b' }],
    ])('answers %j as invalid, and the session goes on', async (wrong) => {
      const reply = await client.request('subscribe', { channel: CHANNEL, since: { ...at(TOP), ...wrong } });
      expect(reply).toMatchObject({
        event: 'error',
        data: { code: 'invalid_data', details: [{ path: 'since' }] },
      });
      expect((await client.subscribe(CHANNEL)).offset).toBe(TOP);
    });

    it('gives the missed as they were published', async () => {
      const { session } = await resume(at(17));
      const seen = session.stream(CHANNEL).seen;
      expect(seen.map(({ offset, id }) => ({ offset, id }))).toEqual(
        [18, 19, 20].map((offset) => ({ offset, id: at(offset).id })),
      );
      const replies = session.frames.flatMap(({ data }) => (data['messages'] ?? []) as { data: number }[]);
      expect(replies.map(({ data }) => data)).toEqual([18, 19, 20]);
    });

    it('goes on live right after the reply', async () => {
      const { session } = await resume(at(15));
      await publish(3);
      await cluster.clock.settle();
      expect(session.offsets(CHANNEL)).toEqual(upTo(16, 23));
    });

    it('gives nothing the second time when nothing was published between', async () => {
      const first = await resume(at(15));
      const { epoch, offset, id } = first;
      first.session.session.closed(1006);
      expect(await resume({ epoch, offset, id })).toMatchObject({
        recovered: true,
        messages: [],
        offset: TOP,
      });
    });

    it('works before the old session is known to be dead, and its end takes nothing from the new one', async () => {
      await client.subscribe(CHANNEL);
      client.link.block();
      await publish(2);
      await cluster.clock.settle();
      const { session, messages } = await resume(at(TOP));
      expect(messages).toEqual([21, 22]);
      client.session.closed(1006);
      await cluster.clock.advance(5000);
      await publish(2);
      await cluster.clock.settle();
      expect(session.offsets(CHANNEL)).toEqual([21, 22, 23, 24]);
    });

    it('counts what was recovered and what was refused', async () => {
      await resume(at(18));
      await resume(at(2));
      await resume({ ...at(18), epoch: 'another' });
      const { resumes, replayed, discontinuities } = cluster.node.core.stats;
      expect({ ...resumes, replayed, discontinuities }).toEqual({
        recovered: 1,
        refused: 2,
        replayed: 2,
        discontinuities: 2,
      });
    });
  });

  it('works when no message was ever received', async () => {
    const position = await client.subscribe(CHANNEL);
    expect(position).toEqual({ epoch: position.epoch, offset: 0, id: '' });
    client.session.closed(1006);
    expect(await resume(position)).toMatchObject({ recovered: true, messages: [], offset: 0 });
    await publish(3);
    expect(await resume(position)).toMatchObject({ recovered: true, messages: [1, 2, 3], offset: 3 });
  });

  it('works on another instance', async () => {
    await cluster.stop();
    await start({ nodes: 2 });
    await client.subscribe(CHANNEL);
    await publish(2);
    client.session.closed(1006);
    await publish(3);
    const other = await cluster.nodes[1]?.connect('ana');
    expect(await other?.ok('subscribe', { channel: CHANNEL, since: at(2) })).toMatchObject({
      recovered: true,
      offset: 5,
    });
    expect(other?.offsets(CHANNEL)).toEqual([3, 4, 5]);
  });

  describe('after time has passed', () => {
    it('still recovers who missed nothing when the log has expired, and refuses who did', async () => {
      await publish(5);
      await cluster.clock.advance(TTL_MS);
      expect(await resume(at(5))).toMatchObject({ recovered: true, messages: [], offset: 5 });
      expect(await resume(at(4))).toMatchObject({
        recovered: false,
        reason: 'expired',
        messages: [],
        offset: 5,
      });
      expect(await resume({ ...at(5), id: 'another' })).toMatchObject({ reason: 'id_mismatch' });
    });

    it('recovers across an expired log when all that was missed came afterwards', async () => {
      await publish(5);
      await cluster.clock.advance(TTL_MS);
      await publish(2);
      expect(await resume(at(5))).toMatchObject({ recovered: true, messages: [6, 7] });
      expect(await resume(at(4))).toMatchObject({ recovered: false, reason: 'expired' });
      expect(await resume({ ...at(5), id: 'another' })).toMatchObject({ reason: 'id_mismatch' });
    });

    it('refuses with a new epoch when the position has expired too', async () => {
      await publish(5);
      await cluster.clock.advance(10 * TTL_MS);
      for (const offset of [0, 4, 5]) {
        expect(await resume(at(offset))).toMatchObject({
          recovered: false,
          reason: 'epoch_changed',
          offset: 0,
        });
      }
    });

    it('keeps the position of a quiet channel for as long as somebody listens', async () => {
      await publish(5);
      await client.subscribe(CHANNEL);
      await cluster.clock.advance(30 * TTL_MS);
      expect(client.pushes('gap')).toEqual([]);
      expect(await resume(at(5))).toMatchObject({ recovered: true, messages: [], offset: 5 });
    });
  });

  describe('after faults of the store', () => {
    beforeEach(async () => publish(5));

    it('refuses when the position is gone and the log is not, and the reverse', async () => {
      cluster.store.expireLog(CHANNEL);
      const { session, ...answer } = await resume(at(4));
      expect(answer).toMatchObject({ recovered: false, reason: 'expired' });
      session.session.closed(1006);
      await cluster.clock.advance(5000);
      cluster.store.expireMeta(CHANNEL);
      expect(await resume(at(5))).toMatchObject({ recovered: false, reason: 'epoch_changed' });
    });

    it('refuses what lost writes have made untrue, and recovers what is still true', async () => {
      cluster.store.loseLast(CHANNEL, 2);
      expect(await resume(at(5))).toMatchObject({ reason: 'ahead' });
      expect(await resume(at(3))).toMatchObject({ recovered: true, messages: [] });
      const before = [...positions];
      await publish(4);
      expect(await resume(before[5] as Position)).toMatchObject({
        recovered: false,
        reason: 'id_mismatch',
        messages: [],
      });
      expect(await resume(before[4] as Position)).toMatchObject({
        recovered: false,
        reason: 'id_mismatch',
        messages: [],
      });
      expect(await resume(before[3] as Position)).toMatchObject({ recovered: true, messages: [4, 5, 6, 7] });
    });
  });

  describe('of more than one reply may give', () => {
    it('is refused by count, exactly at the bound', async () => {
      await cluster.stop();
      await start({ core: { resumeMessages: 5 } });
      await publish(9);
      expect(await resume(at(4))).toMatchObject({ recovered: true, messages: upTo(5, 9) });
      expect(await resume(at(3))).toMatchObject({
        recovered: false,
        reason: 'too_many',
        messages: [],
        offset: 9,
      });
    });

    it('is refused by bytes of payload, exactly at the bound', async () => {
      await cluster.stop();
      await start({ core: { outboxBytes: 9000 } });
      const data = 'x'.repeat(998);
      for (let i = 0; i < 10; i++) {
        const { epoch, offset, id } = await client.ok('publish', { channel: CHANNEL, event: 'e', data });
        positions.push({ epoch, offset, id } as Position);
      }
      const whole = 1000;
      expect(await resume(at(10 - Math.floor(9000 / whole) - 1))).toMatchObject({
        reason: 'too_many',
        messages: [],
      });
      expect(await resume(at(8))).toMatchObject({ recovered: true, messages: [9, 10] });
    });
  });

  describe('in a channel without history', () => {
    beforeEach(async () => {
      await cluster.stop();
      await start({ rules: { '*': { history: undefined } } });
    });

    it('is refused, and the reply says that it always will be', async () => {
      await publish(2);
      const answer = await resume({ epoch: 'none', offset: 0 });
      expect(answer).toMatchObject({ recovered: false, reason: 'expired', messages: [], recoverable: false });
    });

    it('is not missed by a subscriber that only wants to listen', async () => {
      const reply = await client.ok('subscribe', { channel: CHANNEL });
      expect(reply).toMatchObject({ recoverable: false, recovered: false, messages: [] });
      expect(reply).not.toHaveProperty('reason');
      await publish(2);
      await cluster.clock.settle();
      expect(client.pushes('message')).toHaveLength(2);
    });
  });

  describe('is not asked for', () => {
    it('so a subscriber gets the position of now and no messages', async () => {
      await publish(5);
      const reply = await client.ok('subscribe', { channel: CHANNEL });
      expect(reply).toMatchObject({ ...at(5), recoverable: true, recovered: false, messages: [] });
      expect(reply).not.toHaveProperty('reason');
    });

    it('and the channel replays its last value: that one, then live', async () => {
      await cluster.stop();
      await start({ rules: { '*': { replayLast: true, history: { size: 1, ttlMs: TTL_MS } } } });
      expect(await client.ok('subscribe', { channel: 'empty' })).toMatchObject({ offset: 0, messages: [] });
      await publish(5);
      expect(await client.ok('subscribe', { channel: CHANNEL })).toMatchObject({
        ...at(5),
        messages: [{ offset: 5 }],
      });
      await publish(2);
      await cluster.clock.settle();
      expect(client.offsets(CHANNEL)).toEqual([6, 7]);
      await cluster.clock.advance(TTL_MS);
      const late = await cluster.node.connect('ben');
      expect(await late.ok('subscribe', { channel: CHANNEL })).toMatchObject({ ...at(7), messages: [] });
    });
  });

  describe('by who may not read history', () => {
    beforeEach(async () => {
      await cluster.stop();
      await start({
        rules: { '*': { historyAccess: 'nobody', history: { size: SIZE, ttlMs: 100 * TTL_MS } } },
      });
    });

    it('from the beginning is believed for five minutes after the first publication', async () => {
      await publish(3);
      const { epoch } = at(0);
      await cluster.clock.advance(299_000);
      expect(await resume({ epoch, offset: 0 })).toMatchObject({ recovered: true, messages: [1, 2, 3] });
      await cluster.clock.advance(2000);
      expect(await resume({ epoch, offset: 0 })).toMatchObject({
        reason: 'expired',
        messages: [],
        offset: 3,
      });
      await publish(1);
      expect(await resume({ epoch, offset: 0 })).toMatchObject({
        reason: 'expired',
        messages: [],
        offset: 4,
      });
    });

    it('needs the id of where he stood, and no time ends it', async () => {
      await publish(3);
      await cluster.clock.advance(10 * TTL_MS);
      const { epoch, offset } = at(1);
      expect(await resume({ epoch, offset })).toMatchObject({ reason: 'expired', messages: [] });
      expect(await resume(at(1))).toMatchObject({ recovered: true, messages: [2, 3] });
      expect(await resume({ epoch, offset: 3 })).toMatchObject({ recovered: true, messages: [] });
    });

    it('works just before the oldest that is kept', async () => {
      await publish(TOP);
      const before = TOP - SIZE;
      expect(await resume(at(before))).toMatchObject({ recovered: true, messages: upTo(before + 1, TOP) });
      expect(await resume({ ...at(before), id: '' })).toMatchObject({ reason: 'expired', messages: [] });
    });
  });
});
