// What is the memory backplane's own, beyond the contract: its bounds, its sweeps, its timers, and the faults its bus can be given.

import { describe, expect, it } from 'vitest';
import { MemoryBackplane } from '../../src/backplanes/memory/memory.backplane.js';
import { memoryOptions, type MemorySettings } from '../../src/backplanes/memory/memory.options.js';
import { MemoryStore } from '../../src/backplanes/memory/memory.store.js';
import type { CoreLogger } from '../../src/core/ports/application.js';
import type { AppendOptions } from '../../src/core/ports/backplane.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingListener } from '../support/recording-listener.js';
import { SeededRandom } from '../support/seeded-random.js';

const MINUTE_MS = 60_000;

function bench(settings: MemorySettings = {}) {
  const clock = new FakeClock();
  const faults: string[] = [];
  const logger: CoreLogger = {
    debug: () => {},
    warn: () => {},
    error: (_message, fields) => void faults.push(String(fields?.['error'])),
  };
  const options = memoryOptions.parse(settings);
  const store = new MemoryStore({ options, clock, random: new SeededRandom(), logger });
  const append = (channel: string, extra: Partial<AppendOptions> = {}) => {
    const draft = { event: 'e', data: '1', from: undefined, key: undefined };
    const history = { size: 5, ttlMs: MINUTE_MS };
    return store.append(channel, draft, { history, idempotencyKey: undefined, except: undefined, ...extra });
  };
  return { clock, store, append, faults };
}

async function nodeOf(store: MemoryStore, channel?: string) {
  const node = new MemoryBackplane(store);
  const ear = new RecordingListener();
  await node.start(ear);
  if (channel !== undefined) await node.subscribe(channel);
  return { node, ear };
}

describe('memory store', () => {
  it('forgets a channel that was not used lately when it has too many, never one that was', () => {
    const { store, append } = bench({ maxChannels: 3 });
    const epochs = new Map(['a', 'b', 'c'].map((name) => [name, append(name).position.epoch]));
    append('d');
    expect(store.top('a').offset).toBe(0);
    expect(store.top('c')).toMatchObject({ epoch: epochs.get('c'), offset: 1 });
    append('e');
    expect(store.top('b').offset).toBe(0);
    for (const name of ['c', 'd', 'e']) expect(store.top(name).offset).toBe(1);
    expect(store.top('c').epoch).toBe(epochs.get('c'));
    expect(store.sizes.channels).toBe(3);
  });

  it('never grows over its bounds, whatever names come', () => {
    const { store, append } = bench({ maxChannels: 10, maxEmptyChannels: 10 });
    for (let i = 0; i < 500; i++) {
      append(`a${i}`);
      store.top(`b${i}`);
      store.read(`c${i}`, { after: 0, limit: 1, reverse: false });
      expect(store.sizes.channels).toBeLessThanOrEqual(10);
      expect(store.sizes.empty).toBeLessThanOrEqual(10);
    }
    expect(store.top('a499').offset).toBe(1);
  });

  it('keeps an empty channel as long as somebody asks for it, and forgets it a while later', async () => {
    const { clock, store } = bench({ emptyTtlMs: MINUTE_MS });
    const { epoch } = store.top('quiet');
    for (let i = 0; i < 10; i++) {
      await clock.advance(MINUTE_MS - 1);
      expect(store.top('quiet').epoch).toBe(epoch);
    }
    await clock.advance(MINUTE_MS);
    expect(store.top('quiet').epoch).not.toBe(epoch);
  });

  it('refuses a new idempotency key when it has too many, and does nothing; known keys and no key pass', async () => {
    const { clock, store, append } = bench({ maxIdempotencyKeys: 2, idempotencyWindowMs: MINUTE_MS });
    append('a', { idempotencyKey: '1' });
    append('a', { idempotencyKey: '2' });
    const { node } = await nodeOf(store);
    const draft = { event: 'e', data: '1', from: undefined, key: undefined };
    const third = { history: undefined, idempotencyKey: '3', except: undefined };
    await expect(node.append('a', draft, third)).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterMs: 1000,
    });
    expect(append('a', { idempotencyKey: '2' }).duplicate).toBe(true);
    expect(append('a').position.offset).toBe(3);
    await clock.advance(MINUTE_MS);
    expect(append('a', { idempotencyKey: '3' }).position.offset).toBe(4);
    expect(store.sizes.keys).toBe(1);
    await node.stop();
  });

  it('remembers no keys when the window is 0', () => {
    const { store, append } = bench({ idempotencyWindowMs: 0 });
    append('a', { idempotencyKey: '1' });
    expect(append('a', { idempotencyKey: '1' })).toMatchObject({ duplicate: false, position: { offset: 2 } });
    expect(store.sizes.keys).toBe(0);
  });

  it('keeps the position of a channel as long as somebody asks for it, but not its publications', async () => {
    const { clock, store, append } = bench();
    const { position } = append('a');
    for (let i = 0; i < 5; i++) {
      await clock.advance(9 * MINUTE_MS);
      expect(store.top('a')).toEqual(position);
      expect(store.read('a', { after: 0, limit: 9, reverse: false }).publications).toEqual([]);
    }
  });

  it('frees by itself what has expired while a node runs, and has no timer without one', async () => {
    const { clock, store, append } = bench({ emptyTtlMs: MINUTE_MS, idempotencyWindowMs: MINUTE_MS });
    expect(clock.pending).toBe(0);
    const first = await nodeOf(store);
    const second = await nodeOf(store);
    expect(clock.pending).toBe(1);
    for (let i = 0; i < 12_000; i++) append(`a${i}`, { idempotencyKey: 'k' });
    store.top('empty');
    await first.node.stop();
    expect(store.sizes).toEqual({
      channels: 12_000,
      publications: 12_000,
      empty: 1,
      keys: 12_000,
      presence: 0,
    });
    await clock.advance(11 * MINUTE_MS);
    expect(store.sizes).toEqual({ channels: 0, publications: 0, empty: 0, keys: 0, presence: 0 });
    await second.node.stop();
    expect(clock.pending).toBe(0);
  });

  it('drops expired publications at a sweep and keeps what still lives', async () => {
    const { clock, store, append } = bench();
    append('old');
    await clock.advance(MINUTE_MS - 1);
    append('young');
    await clock.advance(1);
    expect(store.sizes).toMatchObject({ channels: 2, publications: 2 });
    store.sweep();
    expect(store.sizes).toMatchObject({ channels: 2, publications: 1 });
    expect(store.read('old', { after: 0, limit: 9, reverse: false }).publications).toEqual([]);
    expect(store.read('young', { after: 0, limit: 9, reverse: false }).publications).toHaveLength(1);
  });

  it('loses writes with the keys that hung on them, down to what it keeps', () => {
    const { store, append } = bench();
    const before = append('a', { idempotencyKey: 'kept' });
    append('a', { idempotencyKey: 'lost' });
    store.loseLast('a', 1);
    expect(append('a', { idempotencyKey: 'kept' })).toEqual({ ...before, duplicate: true });
    expect(append('a', { idempotencyKey: 'lost' })).toMatchObject({
      duplicate: false,
      position: { offset: 2 },
    });
    for (let i = 0; i < 10; i++) append('a');
    const { publications } = store.read('a', { after: 0, limit: 9, reverse: false });
    store.loseLast('a', 100);
    expect(store.top('a').offset).toBe((publications[0]?.offset ?? 0) - 1);
    expect(store.top('a').id).not.toBe('');
    store.loseLast('unknown', 1);
  });

  it('is the same again after a long life of one channel', () => {
    const { store, append } = bench();
    for (let i = 1; i <= 1000; i++) {
      expect(append('a').position.offset).toBe(i);
      const oldest = Math.max(1, i - 4);
      const { publications, idAtAfter } = store.read('a', { after: oldest - 1, limit: 9, reverse: false });
      expect(publications.map(({ offset }) => offset)).toEqual(
        Array.from({ length: i - oldest + 1 }, (_, n) => oldest + n),
      );
      expect(idAtAfter === undefined).toBe(oldest === 1);
    }
  });
});

describe('memory presence', () => {
  it('takes a session that enters as another user out as the first', async () => {
    const { store } = bench();
    const { node, ear } = await nodeOf(store, 'a');
    await node.enter('a', { session: 's', user: 'ana', name: undefined, since: 1 });
    await node.enter('a', { session: 's', user: 'ben', name: undefined, since: 2 });
    expect(ear.moves('a')).toEqual(['join ana', 'leave ana', 'join ben']);
    expect(await node.members('a')).toMatchObject([{ user: 'ben', connections: 1 }]);
    await node.exit('a', { session: 's', user: 'ben', name: undefined, since: 2 });
    expect(store.sizes.presence).toBe(0);
    await node.stop();
  });
});

describe('memory bus', () => {
  it('drops, repeats and delays on the way to one node only', async () => {
    const { clock, store, append } = bench();
    const good = await nodeOf(store, 'a');
    const bad = await nodeOf(store, 'a');
    const fates = ['drop', 'duplicate', { delayMs: 100 }, 'deliver'] as const;
    bad.node.port.filter = (message) => {
      return message.kind === 'publication'
        ? (fates[message.delivery.publication.offset - 1] ?? 'deliver')
        : 'drop';
    };
    for (let i = 0; i < 4; i++) append('a');
    expect(good.ear.offsets('a')).toEqual([1, 2, 3, 4]);
    expect(bad.ear.offsets('a')).toEqual([2, 2, 4]);
    await clock.advance(100);
    expect(bad.ear.offsets('a')).toEqual([2, 2, 4, 3]);
    await good.node.control({ type: 'subscribe', user: 'u', channel: 'a' });
    expect([good.ear.control.length, bad.ear.control.length]).toEqual([1, 0]);
  });

  it('brings nothing late to who has left meanwhile', async () => {
    const { clock, store, append } = bench();
    const { node, ear } = await nodeOf(store, 'a');
    node.port.filter = () => ({ delayMs: 100 });
    append('a');
    await node.control({ type: 'subscribe', user: 'u', channel: 'a' });
    await node.unsubscribe('a');
    await clock.advance(100);
    expect([ear.offsets('a'), ear.control.length]).toEqual([[], 1]);
    await node.subscribe('a');
    append('a');
    await node.control({ type: 'subscribe', user: 'u', channel: 'a' });
    await node.stop();
    await clock.advance(100);
    expect([ear.offsets('a'), ear.control.length]).toEqual([[], 1]);
  });

  it('lets no listener that throws cost another its message, and says so in the log', async () => {
    const { store, append, faults } = bench();
    const node = new MemoryBackplane(store);
    const fail = (): never => {
      throw new Error('a broken listener');
    };
    await node.start({
      onPublication: fail,
      onPresence: fail,
      onControl: fail,
      onRevocations: fail,
      onSuspect: fail,
    });
    await node.subscribe('a');
    const { ear } = await nodeOf(store, 'a');
    append('a');
    store.enter('a', { session: 's', user: 'ana', name: undefined, since: 1 }, {});
    await node.control({ type: 'subscribe', user: 'u', channel: 'a' });
    store.bus.suspect(node.port);
    expect([ear.offsets('a'), ear.moves('a'), ear.control.length]).toEqual([[1], ['join ana'], 1]);
    expect(faults).toEqual(Array.from({ length: 4 }, () => 'Error: a broken listener'));
  });

  it('keeps one order for all when a listener publishes while it listens', async () => {
    const { store, append } = bench();
    const first = await nodeOf(store, 'a');
    const second = await nodeOf(store, 'a');
    const hear = first.ear.onPublication.bind(first.ear);
    first.ear.onPublication = (channel, epoch, delivery) => {
      hear(channel, epoch, delivery);
      if (delivery.publication.offset < 4) append('a');
    };
    append('a');
    expect(first.ear.offsets('a')).toEqual([1, 2, 3, 4]);
    expect(second.ear.offsets('a')).toEqual([1, 2, 3, 4]);
  });

  it('tells a node that its link was away', async () => {
    const { store } = bench();
    const { node, ear } = await nodeOf(store);
    store.bus.suspect(node.port);
    store.bus.suspect(node.port, ['a']);
    expect(ear.suspects).toEqual(['all', ['a']]);
  });

  it('knows no channel any more when nobody listens', async () => {
    const { store } = bench();
    const { node } = await nodeOf(store, 'a');
    await node.subscribe('b');
    await node.unsubscribe('b');
    expect(store.bus.channels).toBe(1);
    await node.stop();
    expect(store.bus.channels).toBe(0);
  });
});

describe('memory options', () => {
  it.each([
    { maxChannels: -1 },
    { maxChannels: 1.5 },
    { emptyTtlMs: 1000 },
    { sweepMs: 0 },
    { idempotencyWindowMs: -1 },
  ])('refuse %j', (settings) => {
    expect(memoryOptions.safeParse(settings).success).toBe(false);
  });

  it('keep keys for five minutes by default', () => {
    expect(memoryOptions.parse({}).idempotencyWindowMs).toBe(300_000);
  });
});
