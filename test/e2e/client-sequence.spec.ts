// The reader's place in a channel: no repeat, no swap, no untold hole, whatever comes in whatever order.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sequence } from '../../client/src/sequence.js';
import type { Gap, Message, SubscribeReply } from '../../client/src/types.js';

const CHANNEL = 'chat:lobby';

interface Reader {
  readonly sequence: Sequence;
  /** Offsets as numbers, gaps as text. */
  readonly seen: (number | string)[];
}

function reader(): Reader {
  const seen: (number | string)[] = [];
  const sequence = new Sequence(CHANNEL, {
    message: ({ offset }) => seen.push(offset ?? 0),
    gap: ({ from, to, count, reason }) => seen.push(`${reason} ${from}-${to} (${count})`),
  });
  return { sequence, seen };
}

function message(offset: number | undefined, id = `m${offset}`): Message {
  return {
    channel: CHANNEL,
    id,
    event: 'message',
    data: offset,
    time: 0,
    ...(offset === undefined ? {} : { offset }),
  };
}

function reply(offset: number, more: Partial<SubscribeReply> = {}): SubscribeReply {
  return {
    channel: CHANNEL,
    epoch: 'e1',
    offset,
    id: `m${offset}`,
    recoverable: true,
    recovered: false,
    messages: [],
    ...more,
  };
}

function gap(from: number, to: number, reason: Gap['reason'], epoch = 'e1'): Gap {
  return { channel: CHANNEL, epoch, from, to, count: to - from + 1, reason };
}

const at = (offset: number, epoch = 'e1') => ({ epoch, offset, id: `m${offset}` });
const ownAt = (offset: number) => ({ channel: CHANNEL, duplicate: false, ...at(offset) });

function live(offset: number): Reader {
  const made = reader();
  made.sequence.enter(reply(offset), undefined);
  return made;
}

describe('live messages', () => {
  it('pass in order, and a repeat does not', () => {
    const { sequence, seen } = live(5);
    for (const offset of [6, 6, 7, 5, 8]) sequence.accept(message(offset));
    expect(seen).toEqual([6, 7, 8]);
    expect(sequence.since).toEqual(at(8));
  });

  it('without an offset always pass and move nothing', () => {
    const { sequence, seen } = live(5);
    sequence.accept(message(undefined));
    sequence.accept(message(undefined));
    expect(seen).toEqual([0, 0]);
    expect(sequence.since).toEqual(at(5));
  });

  it('after a hole that nobody told are preceded by a gap', () => {
    const { sequence, seen } = live(5);
    sequence.accept(message(9));
    sequence.accept(message(10));
    expect(seen).toEqual(['lost 6-8 (3)', 9, 10]);
  });
});

describe('a gap that the server tells', () => {
  it('for what it left out is not told twice, and lets pass what it kept in between', () => {
    const { sequence, seen } = live(5);
    sequence.told({ ...gap(6, 9, 'conflated'), count: 3 });
    sequence.accept(message(8));
    sequence.accept(message(10));
    expect(seen).toEqual(['conflated 6-9 (3)', 8, 10]);
  });

  it('for what it left out leaves the position, so a resume can still bring it', () => {
    const { sequence } = live(5);
    sequence.told(gap(6, 9, 'overflow'));
    expect(sequence.since).toEqual(at(5));
  });

  it('covers its own range only', () => {
    const { sequence, seen } = live(5);
    sequence.told(gap(6, 7, 'overflow'));
    sequence.accept(message(10));
    expect(seen).toEqual(['overflow 6-7 (2)', 'lost 8-9 (2)', 10]);
  });

  it('for what is lost moves the position behind it', () => {
    const { sequence, seen } = live(5);
    sequence.told(gap(6, 9, 'expired'));
    sequence.accept(message(10));
    expect(seen).toEqual(['expired 6-9 (4)', 10]);
  });

  it('that leaves a hole before it is completed', () => {
    const { sequence, seen } = live(5);
    sequence.told(gap(8, 9, 'expired'));
    expect(seen).toEqual(['lost 6-7 (2)', 'expired 8-9 (2)']);
  });

  it('for a log that was replaced moves the position back, too', () => {
    const { sequence, seen } = live(50);
    sequence.told(gap(3, 3, 'id_mismatch'));
    sequence.accept(message(4));
    sequence.told(gap(1, 2, 'epoch_changed', 'e2'));
    sequence.accept(message(3));
    expect(seen).toEqual(['id_mismatch 3-3 (1)', 4, 'epoch_changed 1-2 (2)', 3]);
    expect(sequence.since).toEqual(at(3, 'e2'));
  });

  it('of a channel without offsets is handed on and moves nothing', () => {
    const made = reader();
    made.sequence.enter(reply(0, { epoch: 'none', id: '', recoverable: false }), undefined);
    made.sequence.told({ ...gap(0, 0, 'conflated', 'none'), count: 4 });
    made.sequence.accept(message(undefined));
    expect(made.seen).toEqual(['conflated 0-0 (4)', 0]);
  });
});

describe('coming back', () => {
  it('hands on exactly the missed ones', () => {
    const { sequence, seen } = live(5);
    const since = sequence.since;
    sequence.enter(reply(7, { recovered: true, messages: [message(6), message(7)] }), since);
    sequence.accept(message(7));
    sequence.accept(message(8));
    expect(seen).toEqual([6, 7, 8]);
  });

  it('tells when the server promised more than it gave', () => {
    const { sequence, seen } = live(5);
    sequence.enter(reply(9, { recovered: true, messages: [message(6), message(8)] }), sequence.since);
    expect(seen).toEqual([6, 'lost 7-7 (1)', 8, 'lost 9-9 (1)']);
    expect(sequence.since).toEqual(at(9));
  });

  it('tells what was missed when the server cannot recover, and goes on from the new place', () => {
    const { sequence, seen } = live(5);
    sequence.enter(reply(9, { reason: 'expired' }), sequence.since);
    sequence.accept(message(10));
    sequence.enter(reply(2, { reason: 'ahead' }), sequence.since);
    sequence.accept(message(3));
    sequence.enter(reply(8, { reason: 'id_mismatch' }), sequence.since);
    sequence.enter(reply(4, { epoch: 'e2', reason: 'epoch_changed' }), sequence.since);
    expect(seen).toEqual([
      'expired 6-9 (4)',
      10,
      'ahead 0-0 (0)',
      3,
      'id_mismatch 0-0 (0)',
      'epoch_changed 0-0 (0)',
    ]);
  });

  it('does not hand on the last value of a channel a second time', () => {
    const made = reader();
    const price = (offset: number) => reply(offset, { recoverable: false, messages: [message(offset)] });
    made.sequence.enter(price(5), undefined);
    made.sequence.enter(price(5), undefined);
    made.sequence.enter(price(8), undefined);
    expect(made.seen).toEqual([5, 8]);
    expect(made.sequence.since).toBeUndefined();
  });

  it('by the server alone tells what came meanwhile', () => {
    const { sequence, seen } = live(5);
    sequence.joined(reply(8));
    sequence.joined(reply(8));
    expect(seen).toEqual(['lost 6-8 (3)']);
  });
});

describe('publishes of our own without an echo', () => {
  it('are no hole, whichever comes first: the answer or what follows', () => {
    for (const answerFirst of [true, false]) {
      const { sequence, seen } = live(5);
      sequence.beginUnheard();
      if (answerFirst) sequence.endUnheard(ownAt(6));
      sequence.accept(message(7));
      if (!answerFirst) {
        expect(seen, 'held until the answer').toEqual([]);
        expect(sequence.since, 'and the position stays behind it').toEqual(at(5));
        sequence.endUnheard(ownAt(6));
      }
      expect(seen).toEqual([7]);
    }
  });

  it('are no hole when the answer overtakes a message before them', () => {
    const { sequence, seen } = live(5);
    sequence.beginUnheard();
    sequence.endUnheard(ownAt(7));
    sequence.accept(message(6));
    sequence.accept(message(8));
    expect(seen).toEqual([6, 8]);
    expect(sequence.since).toEqual(at(8));
  });

  it('do not excuse the hole of somebody else', () => {
    const { sequence, seen } = live(5);
    sequence.beginUnheard();
    sequence.accept(message(9));
    sequence.endUnheard(ownAt(7));
    expect(seen).toEqual(['lost 6-8 (2)', 9]);
    sequence.beginUnheard();
    sequence.accept(message(11));
    sequence.endUnheard(undefined);
    expect(seen.slice(2)).toEqual(['lost 10-10 (1)', 11]);
  });

  it('that a resume brings after the answer are not handed on', () => {
    const { sequence, seen } = live(5);
    sequence.beginUnheard();
    sequence.endUnheard(ownAt(7));
    sequence.interrupt();
    sequence.enter(
      reply(8, { recovered: true, messages: [6, 7, 8].map((offset) => message(offset)) }),
      sequence.since,
    );
    expect(seen).toEqual([6, 8]);
  });

  it('are not handed on when their copy comes behind a hole', () => {
    const { sequence, seen } = live(5);
    sequence.beginUnheard();
    sequence.endUnheard(ownAt(8));
    sequence.accept(message(8));
    expect(seen).toEqual(['lost 6-7 (2)']);
    expect(sequence.since).toEqual(at(8));
  });

  it('leave nothing held over the end of a session', () => {
    const { sequence, seen } = live(5);
    sequence.beginUnheard();
    sequence.accept(message(7));
    sequence.interrupt();
    sequence.endUnheard(undefined);
    expect(seen).toEqual([]);
    expect(sequence.since).toEqual(at(5));
  });

  it('hold back no more than a bounded number of messages', () => {
    const { sequence, seen } = live(0);
    sequence.beginUnheard();
    for (let offset = 2; offset <= 1500; offset++) sequence.accept(message(offset));
    expect(seen.slice(0, 3)).toEqual(['lost 1-1 (1)', 2, 3]);
    expect(seen).toHaveLength(1500);
  });
});

/** What can happen to a reader; the log itself is offsets 1, 2, 3 … */
type Step = 'message' | 'repeat' | 'own' | 'answer' | 'drop' | 'left out' | 'resume';

it('accounts for every offset exactly once, in order, under any mix of events', () => {
  const step = fc.constantFrom<Step>(
    'message',
    'message',
    'repeat',
    'own',
    'answer',
    'drop',
    'left out',
    'resume',
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { sequence, account } = accountant();
      let top = 0;
      let answers: number[] = [];
      const settle = (): void => {
        for (const offset of answers) sequence.endUnheard(ownAt(offset));
        answers = [];
      };
      for (const what of steps) {
        if (what === 'message') sequence.accept(message(++top));
        if (what === 'repeat' && top > 0) sequence.accept(message(account.top()));
        if (what === 'own') {
          sequence.beginUnheard();
          account.own.add(++top);
          answers.push(top);
        }
        if (what === 'answer') settle();
        if (what === 'drop') account.dropped.add(++top);
        if (what === 'left out') {
          account.dropped.add(++top);
          sequence.told(gap(top, top, 'overflow'));
        }
        if (what === 'resume') {
          sequence.interrupt();
          const since = sequence.since;
          const missed = Array.from({ length: top - (since?.offset ?? 0) }, (_, i) =>
            message((since?.offset ?? 0) + 1 + i),
          );
          sequence.enter(reply(top, { recovered: true, messages: missed }), since);
        }
      }
      settle();
      sequence.accept(message(++top));
      account.check(top);
    }),
    { numRuns: 2000 },
  );
});

/** Each offset ends as delivered, told as a gap, or our own; delivered ones rise, and none is told lost that was not dropped. */
function accountant() {
  const delivered: number[] = [];
  const told = new Set<number>();
  const lost = new Set<number>();
  const own = new Set<number>();
  const dropped = new Set<number>();
  const sequence = new Sequence(CHANNEL, {
    message: ({ offset = 0 }) => delivered.push(offset),
    gap: ({ from, to, reason }) => {
      for (let offset = from; offset <= to; offset++) (reason === 'lost' ? lost : told).add(offset);
    },
  });
  sequence.enter(reply(0, { id: '' }), undefined);
  const check = (top: number): void => {
    expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b));
    const heard = new Set(delivered);
    for (let offset = 1; offset <= top; offset++) {
      const known = heard.has(offset) || told.has(offset) || lost.has(offset) || own.has(offset);
      expect(known, `offset ${offset} of ${top}`).toBe(true);
      const wronglyLost =
        lost.has(offset) && (heard.has(offset) || !(dropped.has(offset) || own.has(offset)));
      expect(wronglyLost, `offset ${offset} told lost`).toBe(false);
    }
  };
  return { sequence, account: { own, dropped, check, top: () => delivered.at(-1) ?? 0 } };
}
