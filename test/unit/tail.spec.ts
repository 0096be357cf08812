// The copy of a channel's newest publications against a model of its log: it never says anything that the log would not say.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tail, Tails } from '../../src/core/tail.js';
import type { Position } from '../../src/protocol/position.js';
import type { Publication } from '../../src/protocol/publication.js';

const EPOCH = 'epoch';

function publication(offset: number, bytes: number): Publication {
  const data = 'x'.repeat(bytes);
  return { offset, id: `id${offset}`, event: 'e', data, from: undefined, time: 0, key: undefined };
}

/** A log of everything, and its copy. */
class Channel {
  readonly log: Publication[] = [];
  readonly tail: Tail;

  constructor(tails: Tails, most: number) {
    this.tail = new Tail(tails, most);
  }

  get top(): Position {
    const { offset = 0, id = '' } = this.log.at(-1) ?? {};
    return { epoch: EPOCH, offset, id };
  }

  add(bytes: number): void {
    const next = publication(this.log.length + 1, bytes);
    this.tail.add(this.top, next, 0);
    this.log.push(next);
  }

  read(since: number): { top: Position; idAtAfter: string | undefined; publications: Publication[] } {
    return { top: this.top, idAtAfter: this.log[since - 1]?.id, publications: this.log.slice(since) };
  }
}

const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), channel: fc.nat(4), bytes: fc.nat(700) }),
  fc.record({ do: fc.constant('clear' as const), channel: fc.nat(4), bytes: fc.constant(0) }),
  fc.record({ do: fc.constant('seed' as const), channel: fc.nat(4), bytes: fc.nat(60) }),
);

describe('the tail of a channel', () => {
  it('says what the log says, or nothing, whatever was added, dropped and read before', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.nat(12),
        fc.nat(30_000),
        (steps, messages, bytes) => {
          const tails = new Tails({ messages, bytes });
          const channels = Array.from({ length: 5 }, () => new Channel(tails, 9));
          for (const { do: what, channel, bytes: size } of steps) {
            const one = channels[channel] as Channel;
            if (what === 'add') one.add(size);
            else if (what === 'clear') one.tail.clear();
            else {
              const since = Math.min(size, one.log.length);
              one.tail.seed({ offset: since, id: '' }, one.read(since), 0);
            }
            for (const { log, tail, top } of channels) {
              for (let offset = 0; offset <= log.length + 1; offset++) {
                const id = log[offset - 1]?.id ?? '';
                const told = tail.after({ epoch: EPOCH, offset, id }, top);
                if (told === undefined) continue;
                expect(told.publications).toEqual(log.slice(offset));
                expect(told.publications.length).toBeLessThanOrEqual(Math.min(9, messages));
                if (id !== '') expect(told.idAtAfter).toBe(id);
              }
            }
            expect(tails.size).toBeLessThanOrEqual(bytes);
            expect(tails.size).toBe(channels.reduce((sum, { tail }) => sum + tail.size, 0));
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('proves nothing to somebody of another epoch, ahead of it, or with another id', () => {
    const channel = new Channel(new Tails({ messages: 10, bytes: 100_000 }), 10);
    for (let at = 0; at < 5; at++) channel.add(1);
    const { tail, top } = channel;
    expect(tail.after({ epoch: 'other', offset: 3, id: 'id3' }, top)).toBeUndefined();
    expect(tail.after({ epoch: EPOCH, offset: 6, id: '' }, top)).toBeUndefined();
    expect(tail.after({ epoch: EPOCH, offset: 3, id: 'id4' }, top)).toBeUndefined();
    expect(tail.after({ epoch: EPOCH, offset: 3, id: 'id3' }, { ...top, offset: 6 })).toBeUndefined();
    expect(tail.after({ epoch: EPOCH, offset: 3, id: 'id3' }, top)?.publications).toHaveLength(2);
  });

  it('makes room by dropping the channel that was quiet for the longest time', () => {
    const tails = new Tails({ messages: 100, bytes: 16 * 1000 });
    const quiet = new Channel(tails, 100);
    const others = Array.from({ length: 20 }, () => new Channel(tails, 100));
    quiet.add(600);
    for (const other of others) other.add(600);
    expect(quiet.tail.size).toBe(0);
    expect(others.at(-1)?.tail.size).toBeGreaterThan(600);
  });

  it('gives one channel no more than its share', () => {
    const tails = new Tails({ messages: 1000, bytes: 160_000 });
    const channel = new Channel(tails, 1000);
    for (let at = 0; at < 200; at++) channel.add(100);
    expect(channel.tail.size).toBeLessThanOrEqual(10_000);
    channel.add(50_000);
    expect(channel.tail.size).toBe(0);
  });
});
