// The send queue of one session: one write a turn while the socket takes it, a bounded backlog while it does not, never a silent hole.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BacklogBounds } from '../../src/core/backlog.js';
import { Flusher, type Frame } from '../../src/core/batch.js';
import { Outbox } from '../../src/core/outbox.js';
import type { Overflow } from '../../src/core/policy.js';
import { CoreStats } from '../../src/core/stats.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLink } from '../support/fake-link.js';
import { JsonFormat, type WireFrame } from '../support/json-format.js';
import { checkStream } from '../support/stream-checker.js';

const CHANNEL = 'c';
const format = new JsonFormat();

class Bench {
  readonly clock = new FakeClock();
  readonly stats = new CoreStats();
  readonly flusher = new Flusher((run) => this.clock.soon(run));
  overflows = 0;

  constructor(readonly bounds: BacklogBounds = { bytes: 1_048_576, messages: 4096 }) {}

  outbox(link: FakeLink): Outbox {
    const owner = { link, encodeGap: format.push.bind(format), overflowed: () => void this.overflows++ };
    return new Outbox(owner, this);
  }
}

/** A publication; `padding` characters make it larger. */
function message(
  offset: number,
  options: { padding?: number; overflow?: Overflow; key?: string } = {},
): Frame {
  const { padding = 0, overflow = 'disconnect', key = '' } = options;
  const publication = {
    offset,
    id: `i${offset}`,
    event: 'e',
    from: undefined,
    time: 1,
    key: key || undefined,
  };
  const data = `"${'x'.repeat(padding)}"`;
  return {
    bytes: format.push({
      type: 'message',
      channel: CHANNEL,
      epoch: 'e',
      publication: { ...publication, data },
    }),
    droppable: { channel: CHANNEL, epoch: 'e', offset, id: publication.id, key: publication.key, overflow },
  };
}

function notice(): Frame {
  return { bytes: format.push({ type: 'expiring', expiresAt: 1 }), droppable: undefined };
}

/** The reply a real session would have had before all this. */
const SUBSCRIBED: WireFrame = {
  event: 'ok',
  data: {
    channel: CHANNEL,
    epoch: 'e',
    offset: 0,
    id: '',
    recoverable: true,
    recovered: false,
    messages: [],
  },
};

const offsets = (link: FakeLink) => link.frames.map(({ data }) => data['offset']);

describe('outbox', () => {
  it('writes what was sent in one turn at its end, in one write', () => {
    const bench = new Bench();
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    for (const offset of [1, 2, 3]) outbox.send(message(offset));
    expect(link.writes).toEqual([]);
    expect(outbox.waitingBytes).toBeGreaterThan(0);
    bench.clock.endTurn();
    expect(link.writes).toHaveLength(1);
    expect(offsets(link)).toEqual([1, 2, 3]);
    expect(bench.stats.delivered).toBe(3);
    expect(outbox.waitingBytes).toBe(0);
  });

  it('gives sessions that were sent the same frames the same bytes', () => {
    const bench = new Bench();
    const links = [new FakeLink(), new FakeLink(), new FakeLink()];
    const outboxes = links.map((link) => bench.outbox(link));
    const frames = [message(1), message(2)];
    for (const frame of frames) for (const outbox of outboxes) outbox.send(frame);
    outboxes[2]?.send(notice());
    bench.clock.endTurn();
    expect(links[1]?.writes[0]).toBe(links[0]?.writes[0]);
    expect(links[2]?.writes[0]).not.toBe(links[0]?.writes[0]);
    expect(links.map((link) => link.frames.length)).toEqual([2, 2, 3]);
  });

  it('writes a large batch before the turn ends', () => {
    const bench = new Bench();
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    for (const offset of [1, 2, 3]) outbox.send(message(offset, { padding: 100_000 }));
    expect(link.writes).toHaveLength(1);
    outbox.send(message(4));
    bench.clock.endTurn();
    expect(offsets(link)).toEqual([1, 2, 3, 4]);
  });

  it('keeps frames while the socket is full and writes them in order when it drains', () => {
    const bench = new Bench();
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    link.block();
    outbox.send(message(1));
    bench.clock.endTurn();
    for (const offset of [2, 3, 4]) outbox.send(message(offset));
    bench.clock.endTurn();
    expect(link.writes).toHaveLength(1);
    link.unblock();
    outbox.drained();
    outbox.send(message(5));
    bench.clock.endTurn();
    expect(offsets(link)).toEqual([1, 2, 3, 4, 5]);
    expect(bench.stats.delivered).toBe(5);
  });

  it('drains in pieces, and stops where the socket is full again', () => {
    const bench = new Bench();
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    link.block();
    outbox.send(message(1));
    bench.clock.endTurn();
    for (let offset = 2; offset <= 9; offset++) outbox.send(message(offset, { padding: 30_000 }));
    link.unblock(1);
    outbox.drained();
    expect(link.writes).toHaveLength(2);
    expect(link.writes[1]?.length).toBeLessThan(150_000);
    outbox.send(message(10));
    bench.clock.endTurn();
    expect(link.writes).toHaveLength(2);
    link.unblock();
    outbox.drained();
    expect(offsets(link)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(outbox.waitingBytes).toBe(0);
  });

  it('counts what the transport holds towards its bound', () => {
    const bench = new Bench({ bytes: 5000, messages: 100 });
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    link.block();
    outbox.send(message(1, { padding: 4500 }));
    bench.clock.endTurn();
    outbox.send(message(2));
    expect(bench.overflows).toBe(0);
    outbox.send(message(3, { padding: 400 }));
    expect(bench.overflows).toBe(1);
    expect(outbox.waitingBytes).toBeLessThanOrEqual(5000);
  });

  it('ends the session when a reply finds no room, whatever the channels allow', () => {
    const bench = new Bench({ bytes: 100_000, messages: 2 });
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    link.block();
    outbox.send(message(1, { overflow: 'drop-oldest' }));
    bench.clock.endTurn();
    outbox.send(notice());
    outbox.send(notice());
    outbox.send(message(2, { overflow: 'drop-oldest' }));
    expect(bench.overflows).toBe(0);
    outbox.send(notice());
    expect(bench.overflows).toBe(1);
  });

  it('writes nothing after a frame it could not keep, even if the socket drains before the session ends', () => {
    const bench = new Bench({ bytes: 3000, messages: 100 });
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    link.block();
    outbox.send(message(1));
    bench.clock.endTurn();
    outbox.send(message(2));
    outbox.send(message(3, { padding: 5000 }));
    expect(bench.overflows).toBe(1);
    outbox.send(message(4));
    link.unblock();
    outbox.drained();
    bench.clock.endTurn();
    expect([[1], [1, 2]]).toContainEqual(offsets(link));
  });

  it('writes what the socket still takes at its end, and nothing afterwards', () => {
    const bench = new Bench();
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    outbox.send(message(1));
    outbox.close();
    outbox.send(message(2));
    bench.clock.endTurn();
    outbox.drained();
    expect(offsets(link)).toEqual([1]);
  });

  it('frees its backlog at its end', () => {
    const bench = new Bench();
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    link.block();
    outbox.send(message(1));
    bench.clock.endTurn();
    outbox.send(message(2));
    outbox.close();
    link.unblock();
    outbox.drained();
    expect(offsets(link)).toEqual([1]);
    expect(outbox.waitingBytes).toBe(0);
  });

  it('counts what it drops and the gaps it tells', () => {
    const bench = new Bench({ bytes: 100_000, messages: 2 });
    const link = new FakeLink();
    const outbox = bench.outbox(link);
    link.block();
    outbox.send(message(1));
    bench.clock.endTurn();
    for (let offset = 2; offset <= 6; offset++) outbox.send(message(offset, { overflow: 'drop-oldest' }));
    link.unblock();
    outbox.drained();
    expect(bench.stats).toMatchObject({ delivered: 3, dropped: 3, discontinuities: 1 });
    expect(link.frames[1]).toMatchObject({
      event: 'gap',
      data: { from: 2, to: 4, count: 3, reason: 'overflow' },
    });
  });

  it('leaves no hole untold, however the socket behaves', () => {
    const step = fc.record({
      act: fc.constantFrom('send', 'send', 'send', 'send', 'send', 'send', 'turn', 'block', 'drain'),
      padding: fc.integer({ min: 0, max: 900 }),
      writes: fc.integer({ min: 1, max: 4 }),
    });
    const policy = fc.constantFrom<Overflow>('drop-oldest', 'drop-newest', 'conflate');
    const keys = fc.array(fc.constantFrom('', 'a', 'b'), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), policy, keys, (script, overflow, keyRing) => {
        const bench = new Bench({ bytes: 4000, messages: 6 });
        const link = new FakeLink();
        const outbox = bench.outbox(link);
        let offset = 0;
        for (const { act, padding, writes } of script) {
          if (act === 'send') {
            const key = keyRing[++offset % keyRing.length] ?? '';
            outbox.send(message(offset, { padding, overflow, key }));
          } else if (act === 'turn') bench.clock.endTurn();
          else if (act === 'block') link.block();
          else {
            link.unblock(writes);
            outbox.drained();
          }
        }
        bench.clock.endTurn();
        link.unblock();
        outbox.drained();
        expect(bench.overflows).toBe(0);
        expect(checkStream([SUBSCRIBED, ...link.frames], CHANNEL).standing?.offset).toBe(offset);
        expect(bench.stats.delivered + bench.stats.dropped).toBe(offset);
        expect(outbox.waitingBytes).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});
