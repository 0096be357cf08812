// One channel of a shared session, turn by turn: what the server is asked, what a tab is answered, and what the other tabs get meanwhile.

import { beforeEach, describe, expect, it } from 'vitest';
import { TrunklineError } from '../../client/src/errors.js';
import type { Outcome } from '../../client/src/requests.js';
import { HubChannel, type SubscribeAsk } from '../../client/src/shared/hub-channel.js';
import type { Position } from '../../client/src/types.js';

interface Asked {
  readonly event: string;
  readonly data: { since?: Position; presence?: boolean };
  settle(outcome: Outcome): void;
}

let asked: Asked[];
/** `tab: answer`, and what was pushed, in order. */
let told: string[];
let answers: Record<string, unknown>[];
let freed: number;
let channel: HubChannel;

beforeEach(() => {
  asked = [];
  told = [];
  answers = [];
  freed = 0;
  channel = new HubChannel('room:one', {
    ask: (event, body, settle) => asked.push({ event, data: JSON.parse(body) as Asked['data'], settle }),
    answer(tab, _id, outcome) {
      const data = (outcome.ok ? outcome.data : { code: outcome.error.code }) as Record<string, unknown>;
      answers.push(data);
      told.push(`${tab}: ${outcome.ok ? `ok ${String(data['offset'])}` : String(data['code'])}`);
    },
    push(event, data) {
      const { offset, from, to, code } = data as {
        offset?: number;
        from?: number;
        to?: number;
        code?: string;
      };
      told.push(`${event} ${offset ?? code ?? `${from}-${to}`}`);
    },
    empty: () => freed++,
  });
});

const at = (offset: number, epoch = 'e1'): Position => ({ epoch, offset, id: `m${offset}` });
const message = (offset: number) => ({
  ...{ channel: 'room:one', offset, id: `m${offset}`, event: 'message', data: {}, time: 1 },
});
const messages = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => message(from + index));
const reply = (offset: number, more: object = {}) => ({
  ...{ channel: 'room:one', ...at(offset), recoverable: true, recovered: false, messages: [] },
  ...more,
});
const ana = { user: 'ana', connections: 1, since: 1 };
const ben = { user: 'ben', connections: 1, since: 2 };

function subscribe(tab: string, since?: Position, presence = false): void {
  const ask: SubscribeAsk = { tab, id: 1, since, presence };
  channel.subscribe(ask);
}

/** The next thing the server was asked. */
function next(event: string): Asked {
  const [oldest] = asked.splice(0, 1);
  expect(oldest?.event).toBe(event);
  return oldest as Asked;
}

const ok = (event: string, data: object): void => next(event).settle({ ok: true, data });
const refuse = (event: string, code: 'forbidden' | 'rate_limited' | 'already_subscribed'): void =>
  next(event).settle({
    ok: false,
    error: new TrunklineError(code, code, { retry: code === 'rate_limited' }),
    lost: false,
  });

/** The first tab is in, at offset 10, and has heard up to 12. */
function first(more: object = {}): void {
  subscribe('a');
  ok('subscribe', reply(10, more));
  for (const one of messages(11, 12)) channel.saw('message', one);
  told.splice(0);
}

describe('a second tab', () => {
  it('without a place is answered here, where the first one is now', () => {
    first();
    subscribe('b');
    expect(told).toEqual(['b: ok 12']);
    expect(answers.at(-1)).toMatchObject({ epoch: 'e1', id: 'm12', recovered: false, messages: [] });
    expect(asked).toEqual([]);
  });

  it.each([10, 11, 12])('that comes back from %i, which is known here, gets what is kept', (offset) => {
    first();
    subscribe('b', at(offset));
    expect(answers.at(-1)).toMatchObject({ recovered: true, messages: messages(offset + 1, 12) });
    expect(asked).toEqual([]);
  });

  it('with another id at its place is told so when the server says so', () => {
    first();
    subscribe('b', { ...at(11), id: 'other' });
    next('unsubscribe');
    expect(asked[0]?.data.since).toEqual({ ...at(11), id: 'other' });
    ok('subscribe', reply(12, { reason: 'id_mismatch' }));
    expect(told).toEqual(['b: ok 12']);
    expect(answers.at(-1)).toMatchObject({ recovered: false, reason: 'id_mismatch' });
  });

  it('from another epoch is answered here', () => {
    first();
    subscribe('b', at(3, 'e0'));
    expect(answers.at(-1)).toMatchObject({ recovered: false, reason: 'epoch_changed' });
    expect(asked).toEqual([]);
  });

  it('from further back has the channel left and joined again from there; the others get only what is new', () => {
    first();
    subscribe('b', at(5));
    next('unsubscribe');
    // Still on its way when the server was asked.
    channel.saw('message', message(13));
    expect(asked[0]?.data.since).toEqual(at(5));
    ok('subscribe', reply(15, { recovered: true, messages: messages(6, 15) }));
    expect(told).toEqual(['message 14', 'message 15', 'b: ok 15']);
    expect(answers.at(-1)).toMatchObject({ recovered: true, messages: messages(6, 15) });
  });

  it('that is ahead is answered from the server, from the place of the others', () => {
    first();
    subscribe('b', at(14));
    next('unsubscribe');
    expect(asked[0]?.data.since).toEqual(at(12));
    ok('subscribe', reply(15, { recovered: true, messages: messages(13, 15) }));
    expect(told).toEqual(['message 13', 'message 14', 'message 15', 'b: ok 15']);
    expect(answers.at(-1)).toMatchObject({ recovered: true, messages: [message(15)] });
  });

  it('that asks twice is told so', () => {
    first();
    subscribe('a');
    expect(told).toEqual(['a: already_subscribed']);
  });
});

describe('a place too far back', () => {
  it('is no loss for the others: the channel is joined once more from theirs', () => {
    first();
    subscribe('b', at(1));
    next('unsubscribe');
    ok('subscribe', reply(14, { reason: 'expired' }));
    expect(answers.at(-1)).toMatchObject({ recovered: false, reason: 'expired', offset: 14 });
    // Live before the others have what is between: it comes with that.
    expect(channel.saw('message', message(15))).toBe(false);
    next('unsubscribe');
    expect(asked[0]?.data.since).toEqual(at(12));
    ok('subscribe', reply(15, { recovered: true, messages: messages(13, 15) }));
    expect(told).toEqual(['b: ok 14', 'message 13', 'message 14', 'message 15']);
    expect(channel.saw('message', message(16))).toBe(true);
  });

  it('is told as a gap to the others when theirs is gone, too', () => {
    first();
    subscribe('b', at(1));
    next('unsubscribe');
    ok('subscribe', reply(14, { reason: 'expired' }));
    next('unsubscribe');
    ok('subscribe', reply(40, { reason: 'expired' }));
    expect(told).toEqual(['b: ok 14', 'gap 13-40']);
  });

  it('asks the server no second time when the others have missed nothing', () => {
    first();
    subscribe('b', at(1));
    next('unsubscribe');
    ok('subscribe', reply(12, { reason: 'expired' }));
    expect(told).toEqual(['b: ok 12']);
    expect(asked).toEqual([]);
  });
});

describe('members', () => {
  it('are asked for when the first tab wants them, and kept for the next', () => {
    subscribe('a', undefined, true);
    expect(asked[0]?.data.presence).toBe(true);
    ok('subscribe', reply(10, { members: [ana] }));
    channel.saw('join', { member: ben });
    channel.saw('leave', { member: ana });
    subscribe('b', undefined, true);
    subscribe('c');
    expect(answers.map(({ members }) => members)).toEqual([[ana], [ben], undefined]);
  });

  it('wanted by a later tab alone have the channel joined again, without loss', () => {
    first();
    subscribe('b', undefined, true);
    next('unsubscribe');
    expect(asked[0]?.data).toMatchObject({ presence: true, since: at(12) });
    ok('subscribe', reply(13, { recovered: true, messages: [message(13)], members: [ana, ben] }));
    expect(told).toEqual(['message 13', 'b: ok 13']);
    expect(answers.at(-1)).toMatchObject({ recovered: false, messages: [], members: [ana, ben] });
  });
});

describe('a channel that keeps only its last message', () => {
  it('gives it to each tab that comes', () => {
    subscribe('a');
    ok('subscribe', reply(10, { recoverable: false, messages: [message(10)] }));
    channel.saw('message', message(11));
    subscribe('b');
    expect(answers.at(-1)).toMatchObject({ offset: 11, messages: [message(11)] });
    expect(asked).toEqual([]);
  });
});

describe('the last tab', () => {
  it('to leave frees the channel, and one that comes at once joins anew', () => {
    first();
    subscribe('b');
    channel.leave('a');
    expect(asked).toEqual([]);
    channel.leave('b');
    expect(freed).toBe(1);
    ok('unsubscribe', {});
    subscribe('c');
    ok('subscribe', reply(20));
    expect(told.at(-1)).toBe('c: ok 20');
  });
});

describe('several at once', () => {
  it('are answered in turn: one waits for the join of the other', () => {
    subscribe('a');
    subscribe('b');
    channel.leave('a');
    expect(asked).toHaveLength(1);
    ok('subscribe', reply(3));
    expect(told).toEqual(['a: ok 3', 'b: ok 3']);
    expect(asked).toEqual([]);
  });

  it('and a refusal of the first lets the second ask for itself', () => {
    subscribe('a');
    subscribe('b');
    refuse('subscribe', 'rate_limited');
    ok('subscribe', reply(3));
    expect(told).toEqual(['a: rate_limited', 'b: ok 3']);
  });
});

describe('a way back in that is refused', () => {
  it('puts the other tabs out as the server would', () => {
    first();
    subscribe('b', at(1));
    next('unsubscribe');
    refuse('subscribe', 'rate_limited');
    expect(told).toEqual(['unsubscribed rate_limited', 'b: rate_limited']);
    expect(freed).toBe(1);
  });
});

describe('the server', () => {
  it('may join the session by itself, and put it out', () => {
    channel.pushedIn(reply(4), ['a', 'b']);
    subscribe('c', at(4));
    expect(told).toEqual(['c: ok 4']);
    channel.saw('unsubscribed', { channel: 'room:one', code: 'forbidden' });
    expect(freed).toBe(1);
    subscribe('a');
    ok('subscribe', reply(5));
    expect(told.at(-1)).toBe('a: ok 5');
  });

  it('that says a tab is in already is left and joined again', () => {
    subscribe('a', at(2));
    refuse('subscribe', 'already_subscribed');
    next('unsubscribe');
    ok('subscribe', reply(3, { recovered: true, messages: [message(3)] }));
    expect(told).toEqual(['a: ok 3']);
  });
});

it('keeps the last 256 messages, and asks the server for what is before them', () => {
  first();
  for (const one of messages(13, 300)) channel.saw('message', one);
  subscribe('b', at(44));
  expect(answers.at(-1)).toMatchObject({ recovered: true, messages: messages(45, 300) });
  subscribe('c', at(43));
  next('unsubscribe');
  expect(asked[0]?.data.since).toEqual(at(43));
});

it('after a gap keeps nothing of before', () => {
  first();
  channel.saw('gap', { epoch: 'e1', from: 13, to: 20, count: 8, reason: 'lost' });
  subscribe('b', at(11));
  next('unsubscribe');
  expect(asked[0]?.data.since).toEqual(at(11));
});
