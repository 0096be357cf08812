// The backlog of a full session against a simple model: order kept, bounds kept, and every frame sent or told in exactly one gap.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backlog, type BacklogBounds } from '../../src/core/backlog.js';
import type { Frame } from '../../src/core/batch.js';
import type { Overflow } from '../../src/core/policy.js';
import type { GapPush } from '../../src/protocol/frames.js';

interface Item {
  /** Undefined for a reply or notice. */
  readonly channel: string | undefined;
  readonly overflow: Overflow;
  readonly offset: number;
  readonly key: string | undefined;
  readonly size: number;
}

const POLICY_OF: Readonly<Record<string, Overflow>> = {
  old: 'drop-oldest',
  new: 'drop-newest',
  conflated: 'conflate',
  strict: 'disconnect',
};
const CONFLATING = Object.values(POLICY_OF).filter((policy) => policy === 'conflate').length;

const frames = new WeakMap<Buffer, Item>();
const gaps = new WeakMap<Buffer, GapPush>();

function frameOf(item: Item): Frame {
  const bytes = Buffer.alloc(item.size);
  frames.set(bytes, item);
  const { channel, offset, key, overflow } = item;
  return {
    bytes,
    droppable: channel === undefined ? undefined : { channel, epoch: 'e', offset, id: '', key, overflow },
  };
}

function newBacklog(bounds: BacklogBounds): Backlog {
  return new Backlog(bounds, (gap) => {
    const bytes = Buffer.alloc(1);
    gaps.set(bytes, gap);
    return bytes;
  });
}

/** Arrays and loops only: what waits, and what the policies make of it. */
class Model {
  waiting: Item[] = [];
  dropped = 0;

  constructor(private readonly bounds: BacklogBounds) {}

  push(item: Item, outside: number): boolean {
    const same = (other: Item) => other.channel === item.channel && other.key === item.key;
    if (item.overflow === 'conflate' && item.channel !== undefined) this.drop(this.waiting.findIndex(same));
    if (item.channel !== undefined && (item.overflow === 'drop-oldest' || item.overflow === 'conflate')) {
      const older = this.waiting.filter((other) => other.channel === item.channel);
      for (const other of older) if (!this.fits(item, outside)) this.drop(this.waiting.indexOf(other));
    }
    const newest = item.channel !== undefined && item.overflow === 'conflate';
    if (newest || this.fits(item, outside)) this.waiting.push(item);
    else if (item.channel === undefined || item.overflow === 'disconnect') return false;
    else this.dropped++;
    return true;
  }

  take(maxBytes: number): Item[] {
    let size = 0;
    let count = 0;
    for (const item of this.waiting) {
      if (size >= maxBytes) break;
      size += item.size;
      count++;
    }
    return this.waiting.splice(0, count);
  }

  get bytes(): number {
    return this.waiting.reduce((sum, { size }) => sum + size, 0);
  }

  private fits({ size }: Item, outside: number): boolean {
    return this.waiting.length < this.bounds.messages && this.bytes + outside + size <= this.bounds.bytes;
  }

  private drop(index: number): void {
    if (index >= 0) this.dropped += this.waiting.splice(index, 1).length;
  }
}

/** Everything a session was written, in order. */
class Output {
  readonly parts: (Item | GapPush)[] = [];

  add(output: readonly Frame[]): Item[] {
    const taken = output.map(({ bytes }) => frames.get(bytes) ?? (gaps.get(bytes) as GapPush));
    this.parts.push(...taken);
    return taken.filter((part): part is Item => !('from' in part));
  }

  /** Each offset from 1 to `last` stands once: in a frame or within a gap, in order. */
  expectWhole(channel: string, last: number): void {
    let next = 1;
    for (const part of this.parts) {
      if (part.channel !== channel) continue;
      const { from, to, count } = 'from' in part ? part : { from: part.offset, to: part.offset, count: 1 };
      expect(from, `${channel}: ${JSON.stringify(part)}`).toBe(next);
      expect(count).toBe(to - from + 1);
      next = to + 1;
    }
    expect(next - 1, channel).toBe(last);
  }
}

type Step =
  | {
      readonly do: 'push';
      readonly channel: string | undefined;
      readonly key: string | undefined;
      readonly size: number;
    }
  | { readonly do: 'take'; readonly bytes: number };

const LARGEST = 40;

function steps(channels: readonly (string | undefined)[]): fc.Arbitrary<Step[]> {
  const push = fc.record({
    do: fc.constant('push' as const),
    channel: fc.constantFrom(...channels),
    key: fc.constantFrom(undefined, 'a', 'b', '__proto__'),
    size: fc.integer({ min: 1, max: LARGEST }),
  });
  const take = fc.record({ do: fc.constant('take' as const), bytes: fc.integer({ min: 1, max: 120 }) });
  return fc.array(fc.oneof({ weight: 5, arbitrary: push }, { weight: 1, arbitrary: take }), {
    maxLength: 80,
  });
}

function run(script: readonly Step[], bounds: BacklogBounds, outside: number): { full: boolean } {
  const backlog = newBacklog(bounds);
  const model = new Model(bounds);
  const output = new Output();
  const offsets = new Map<string, number>();
  let dropped = 0;
  let full = false;
  for (const step of script) {
    if (step.do === 'take') {
      expect(output.add(backlog.take(step.bytes).frames)).toEqual(model.take(step.bytes));
    } else {
      const { channel, key, size } = step;
      const offset = channel === undefined ? 0 : (offsets.get(channel) ?? 0) + 1;
      const item = { channel, key, size, offset, overflow: POLICY_OF[channel ?? ''] ?? 'disconnect' };
      const taken = backlog.push(frameOf(item), outside);
      expect(taken).toBe(model.push(item, outside));
      full = !taken;
      if (full) break;
      if (channel !== undefined) offsets.set(channel, offset);
    }
    dropped += backlog.takeDropped();
    expect([backlog.messages, backlog.bytes]).toEqual([model.waiting.length, model.bytes]);
    // Each conflating channel may hold its newest value over the bound.
    expect(backlog.messages).toBeLessThanOrEqual(bounds.messages + CONFLATING);
    const most = bounds.bytes + CONFLATING * LARGEST;
    expect(backlog.messages === 0 || backlog.bytes + outside <= most).toBe(true);
  }
  while (!backlog.empty) expect(output.add(backlog.take(60).frames)).toEqual(model.take(60));
  expect(dropped).toBe(model.dropped);
  for (const [channel, last] of offsets) output.expectWhole(channel, last);
  return { full };
}

const bounds = fc.record({
  bytes: fc.integer({ min: 20, max: 200 }),
  messages: fc.integer({ min: 1, max: 8 }),
});

describe('backlog', () => {
  it('does as the model does, with one channel of each dropping policy', () => {
    const channel = fc.constantFrom('old', 'new', 'conflated').chain((name) => steps([name]));
    fc.assert(
      fc.property(channel, bounds, fc.constantFrom(0, 15), (script, most, outside) => {
        expect(run(script, most, outside).full).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('does as the model does, with channels of all policies and replies side by side', () => {
    fc.assert(
      fc.property(steps(['old', 'new', 'conflated', 'strict', undefined]), bounds, (script, most) => {
        run(script, most, 0);
      }),
      { numRuns: 1000 },
    );
  });

  it('has no bound where the bound is Infinity', () => {
    const endless = { bytes: Infinity, messages: Infinity };
    fc.assert(
      fc.property(steps(['old', 'strict', undefined]), (script) => {
        expect(run(script, endless, 1_000_000).full).toBe(false);
      }),
    );
  });

  const item = (channel: string, offset: number, extra: Partial<Item> = {}): Item => {
    return {
      channel,
      offset,
      overflow: POLICY_OF[channel] ?? 'disconnect',
      key: undefined,
      size: 10,
      ...extra,
    };
  };

  function outputOf(backlog: Backlog): (Item | GapPush)[] {
    const output = new Output();
    while (!backlog.empty) output.add(backlog.take(1).frames);
    return output.parts;
  }

  it('tells what drop-oldest left out before the first that is left', () => {
    const backlog = newBacklog({ bytes: 1000, messages: 2 });
    for (const offset of [1, 2, 3, 4]) expect(backlog.push(frameOf(item('old', offset)), 0)).toBe(true);
    expect(outputOf(backlog)).toEqual([
      { type: 'gap', channel: 'old', epoch: 'e', from: 1, to: 2, count: 2, reason: 'overflow' },
      item('old', 3),
      item('old', 4),
    ]);
    expect(backlog.takeDropped()).toBe(2);
    expect(backlog.takeDropped()).toBe(0);
  });

  it('tells what drop-newest left out after the last that was kept', () => {
    const backlog = newBacklog({ bytes: 1000, messages: 2 });
    for (const offset of [1, 2, 3, 4]) expect(backlog.push(frameOf(item('new', offset)), 0)).toBe(true);
    expect(outputOf(backlog)).toEqual([
      item('new', 1),
      item('new', 2),
      { type: 'gap', channel: 'new', epoch: 'e', from: 3, to: 4, count: 2, reason: 'overflow' },
    ]);
  });

  it('keeps the newest of each key when it conflates, from the first waiting frame on', () => {
    const backlog = newBacklog({ bytes: 1000, messages: 100 });
    const keys = ['eur', 'usd', 'eur', undefined, 'eur', undefined];
    const items = keys.map((key, i) => item('conflated', i + 1, { key }));
    for (const one of items) expect(backlog.push(frameOf(one), 0)).toBe(true);
    const gap = { type: 'gap', channel: 'conflated', epoch: 'e', count: 1, reason: 'conflated' };
    expect(outputOf(backlog)).toEqual([
      { ...gap, from: 1, to: 1 },
      items[1],
      { ...gap, from: 3, to: 4, count: 2 },
      items[4],
      items[5],
    ]);
  });

  it('keeps a dropping channel from taking room of another, and never drops a reply for one', () => {
    const backlog = newBacklog({ bytes: 1000, messages: 3 });
    const reply: Item = { channel: undefined, overflow: 'disconnect', offset: 0, key: undefined, size: 10 };
    for (const one of [reply, item('strict', 1), item('old', 1), item('old', 2), item('old', 3)]) {
      expect(backlog.push(frameOf(one), 0)).toBe(true);
    }
    expect(backlog.push(frameOf(item('strict', 2)), 0)).toBe(false);
    expect(backlog.push(frameOf(reply), 0)).toBe(false);
    expect(outputOf(backlog).filter((part) => !('from' in part))).toEqual([
      reply,
      item('strict', 1),
      item('old', 3),
    ]);
  });

  it('names no offset as left out that it sends, when an event without offset is dropped beside', () => {
    for (const last of [0, 3]) {
      const backlog = newBacklog({ bytes: 1000, messages: 2 });
      for (const offset of [1, 2, 3 - last, last]) backlog.push(frameOf(item('new', offset)), 0);
      const told = outputOf(backlog).filter((part): part is GapPush => 'from' in part && part.to > 0);
      expect(told).toEqual([expect.objectContaining({ from: 3, to: 3 })]);
    }
  });

  describe('tells what was left out before a later reply, which may begin a new subscription:', () => {
    const reply: Item = { channel: undefined, overflow: 'disconnect', offset: 0, key: undefined, size: 10 };
    const gapThenReply = (backlog: Backlog, output: Output): void => {
      output.add(backlog.take(Infinity).frames);
      const order = output.parts.filter((part) => part.channel === undefined || 'from' in part);
      expect(order.map((part) => ('from' in part ? 'gap' : 'reply'))).toEqual(['gap', 'reply']);
    };

    it('drop-newest', () => {
      const backlog = newBacklog({ bytes: 1000, messages: 2 });
      const output = new Output();
      for (const offset of [1, 2, 3]) backlog.push(frameOf(item('new', offset)), 0);
      output.add(backlog.take(1).frames);
      expect(backlog.push(frameOf(reply), 0)).toBe(true);
      gapThenReply(backlog, output);
    });

    it('conflate', () => {
      const backlog = newBacklog({ bytes: 1000, messages: 9 });
      backlog.push(frameOf(item('conflated', 1)), 0);
      backlog.push(frameOf(reply), 0);
      backlog.push(frameOf(item('conflated', 2)), 0);
      gapThenReply(backlog, new Output());
    });
  });
});
