// Resume: exactly the missed publications in order, or a refusal with its reason; at every edge, and whatever became of the old socket.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { checkStream } from '../support/stream-checker.js';
import { until } from '../support/wait.js';
import { disposeClients, type FrameData, type WsClient } from '../support/ws-client.js';

const SIZE = 10;
const RESUME_LIMIT = 5000;

let server: E2eServer;
let count = 0;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      { channel: 'small:{name}', history: { size: SIZE, ttl: '1m' } },
      { channel: 'brief:{name}', history: { size: SIZE, ttl: 300 } },
      { channel: 'large:{name}', history: { size: 6000, ttl: '1m' } },
      { channel: 'last:{name}', history: { size: SIZE, ttl: '1m' }, replayLast: true },
    ],
    env: { TRUNKLINE_OUTBOX_BYTES: '300000' },
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

interface Place {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
}

/** A channel of its own with this many publications; their places, from the one before the first on. */
async function filled(
  family: string,
  published: number,
): Promise<{ channel: string; places: readonly Place[] }> {
  const channel = `${family}:${++count}`;
  const places: Place[] = [];
  for (let n = 1; n <= published; n++) {
    const { epoch, offset, id } = await server.realtime.publish(channel, 'tick', n);
    if (n === 1) places.push({ epoch, offset: 0, id: '' });
    places.push({ epoch, offset, id });
  }
  return { channel, places };
}

async function resume(channel: string, since: unknown): Promise<FrameData> {
  const client = await server.join('ana');
  return client.subscribe(channel, { since });
}

const offsetsOf = ({ messages }: FrameData): readonly number[] => messages.map(({ offset }) => offset);
const from = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** 15 publications of which the last 10 are kept: 6 … 15. */
const TOP = 15;

describe('a resume is given', () => {
  it.each([
    ['at the top', TOP, []],
    ['one below the top', TOP - 1, from(TOP, TOP)],
    ['in the midst of what is kept', TOP - 5, from(TOP - 4, TOP)],
    ['just before the oldest kept', TOP - SIZE, from(TOP - SIZE + 1, TOP)],
  ] as const)('%s', async (_where, offset, missed) => {
    const { channel, places } = await filled('small', TOP);
    const reply = await resume(channel, places[offset]);
    expect(reply).toMatchObject({ recovered: true, recoverable: true, ...places[TOP] });
    expect(reply).not.toHaveProperty('reason');
    expect(offsetsOf(reply)).toEqual(missed);
    expect(reply.messages.map(({ id }) => id)).toEqual(missed.map((at) => places[at]?.id));
    expect(reply.messages.map(({ data }) => data)).toEqual(missed);
  });

  it('without an id, as from a client that keeps only numbers', async () => {
    const { channel, places } = await filled('small', TOP);
    const { epoch } = places[0] as Place;
    expect(offsetsOf(await resume(channel, { epoch, offset: TOP - 2 }))).toEqual(from(TOP - 1, TOP));
  });

  it('from the beginning while all is kept', async () => {
    const { channel, places } = await filled('small', SIZE);
    expect(offsetsOf(await resume(channel, places[0]))).toEqual(from(1, SIZE));
  });

  it('to a client that never had a message, since its position came with the subscribe', async () => {
    const channel = `small:${++count}`;
    const client = await server.join('ana');
    const { epoch, offset, id } = await client.subscribe(channel);
    expect([offset, id]).toEqual([0, '']);
    client.cut();
    for (let n = 1; n <= 3; n++) await server.realtime.publish(channel, 'tick', n);
    const reply = await resume(channel, { epoch, offset, id });
    expect(reply['recovered']).toBe(true);
    expect(offsetsOf(reply)).toEqual([1, 2, 3]);
  });

  it('twice: the second time with nothing', async () => {
    const { channel, places } = await filled('small', TOP);
    const first = await resume(channel, places[TOP - 3]);
    expect(offsetsOf(first)).toEqual(from(TOP - 2, TOP));
    const { epoch, offset, id } = first;
    const second = await resume(channel, { epoch, offset, id });
    expect(second).toMatchObject({ recovered: true, messages: [], epoch, offset, id });
  });

  it(`of ${RESUME_LIMIT} messages`, async () => {
    const { channel, places } = await filled('large', RESUME_LIMIT);
    const reply = await resume(channel, places[0]);
    expect(reply['recovered']).toBe(true);
    expect(offsetsOf(reply)).toEqual(from(1, RESUME_LIMIT));
  });

  it('and goes on live without a seam', async () => {
    const { channel, places } = await filled('small', TOP);
    const client = await server.join('ana');
    await client.subscribe(channel, { since: places[TOP - 2] });
    await client.publish(channel, 16);
    await client.settled();
    expect(checkStream(client.frames, channel).seen.map(({ offset }) => offset)).toEqual(
      from(TOP - 1, TOP + 1),
    );
  });
});

describe('a resume is refused, with nothing and a reason,', () => {
  const refused = { recovered: false, recoverable: true, messages: [] };

  it.each([
    ['expired', 'one before what is kept', { offset: TOP - SIZE - 1 }],
    ['expired', 'from the beginning when that is gone', { offset: 0, id: '' }],
    ['ahead', 'one above the top', { offset: TOP + 1, id: '' }],
    ['ahead', 'at the largest offset there is', { offset: Number.MAX_SAFE_INTEGER, id: '' }],
    ['epoch_changed', 'of another epoch', { epoch: 'another', offset: 3, id: '' }],
    ['epoch_changed', 'of another epoch at offset 0', { epoch: 'another', offset: 0, id: '' }],
    ['id_mismatch', 'at the top with another id', { offset: TOP, id: 'another' }],
    ['id_mismatch', 'below the top with another id', { offset: TOP - 2, id: 'another' }],
  ] as const)('%s: %s', async (reason, _where, change) => {
    const { channel, places } = await filled('small', TOP);
    const { epoch } = places[0] as Place;
    const id = places[Math.min(change.offset, TOP)]?.id;
    expect(await resume(channel, { epoch, id, ...change })).toMatchObject({
      ...refused,
      reason,
      ...places[TOP],
    });
  });

  it('too_many: one message more than a reply carries', async () => {
    const { channel, places } = await filled('large', RESUME_LIMIT + 1);
    expect(await resume(channel, places[0])).toMatchObject({ ...refused, reason: 'too_many' });
  });

  it('too_many: more bytes than an outbox takes', async () => {
    const channel = `large:${++count}`;
    const { epoch } = await server.realtime.publish(channel, 'tick', 0);
    for (let n = 0; n < 40; n++) await server.realtime.publish(channel, 'tick', 'x'.repeat(10_000));
    expect(await resume(channel, { epoch, offset: 1, id: '' })).toMatchObject({
      ...refused,
      reason: 'too_many',
    });
  });

  it('when the history has outlived its time, and says whether the epoch did', async () => {
    const { channel, places } = await filled('brief', 3);
    await until(async () => {
      const { messages } = await server.realtime.history(channel);
      return messages.length === 0;
    }, 'the history to expire');
    const reply = await resume(channel, places[1]);
    expect(reply).toMatchObject(refused);
    expect(['expired', 'epoch_changed']).toContain(reply['reason']);
  });

  it('and the client hears what comes after, from where the reply says it stands', async () => {
    const { channel } = await filled('small', TOP);
    const client = await server.join('ana');
    await client.subscribe(channel, { since: { epoch: 'another', offset: 3 } });
    await client.publish(channel, 16);
    expect((await client.next('message')).data.offset).toBe(TOP + 1);
    expect(checkStream(client.frames, channel).discontinuities).toBe(1);
  });
});

describe('a position that is none', () => {
  it.each([
    ['offset −1', { offset: -1 }],
    ['offset 2^53', { offset: 2 ** 53 }],
    ['offset "abc"', { offset: 'abc' }],
    ['offset 1.5', { offset: 1.5 }],
    ['no offset', {}],
    ['no epoch', { epoch: undefined, offset: 1 }],
    ['an epoch with a space', { epoch: 'a b', offset: 1 }],
    ['an id that is a number', { offset: 1, id: 1 }],
  ])('with %s is answered invalid_data, and the session may subscribe as before', async (_what, change) => {
    const { channel, places } = await filled('small', 2);
    const { epoch } = places[0] as Place;
    const client = await server.join('ana');
    const reply = await client.request('subscribe', { channel, since: { epoch, ...change } });
    expect([reply.event, reply.data.code]).toEqual(['error', 'invalid_data']);
    expect(JSON.stringify(reply.data['details'])).toContain('since');
    expect((await client.subscribe(channel)).offset).toBe(2);
  });
});

describe('a new subscriber of a channel that replays its last value', () => {
  it('gets it, and is not called recovered', async () => {
    const { channel } = await filled('last', 3);
    const client = await server.join('ana');
    const reply = await client.subscribe(channel);
    expect([offsetsOf(reply), reply['recovered'], reply.offset]).toEqual([[3], false, 3]);
  });
});

describe('a client whose old socket the server still believes in', () => {
  const channel = 'small:takeover';
  let old: WsClient;
  let position: Place;

  /** The old socket reads nothing any more and answers nothing; for the server it is alive. */
  async function lostWithoutAClose(): Promise<void> {
    old = await server.join('ana');
    const { epoch } = await old.subscribe(channel);
    const { offset, id } = await old.publish(channel, 'before');
    await old.next('message');
    position = { epoch, offset, id };
    old.stopReading();
  }

  it('resumes at once, and the old one cannot disturb it later', async () => {
    await lostWithoutAClose();
    const sessions = server.stats().sessions;
    await server.realtime.publish(channel, 'tick', 'missed');
    const fresh = await server.join('ana');
    const reply = await fresh.subscribe(channel, { since: position });
    expect(server.stats().sessions, 'the old session is still there').toBe(sessions + 1);
    expect([reply['recovered'], reply.messages.map(({ data }) => data)]).toEqual([true, ['missed']]);

    old.send({ event: 'unsubscribe', id: 900, data: { channel } });
    old.send({ event: 'publish', id: 901, data: { channel, event: 'tick', data: 'from the old socket' } });
    expect((await fresh.next('message')).data.data).toBe('from the old socket');
    old.readOn();
    await old.next('ok', ({ id }) => id === 901);
    old.cut();
    await until(() => server.stats().sessions === sessions, 'the old session to end');

    await fresh.publish(channel, 'after');
    expect((await fresh.next('message')).data.data).toBe('after');
    await fresh.settled();
    expect(checkStream(fresh.frames, channel).seen.map(({ offset }) => offset)).toEqual(
      from(position.offset + 1, position.offset + 3),
    );
  });
});

describe('a client that subscribes again on the same socket', () => {
  it('is refused while subscribed, and resumes after its own unsubscribe', async () => {
    const { channel, places } = await filled('small', 5);
    const client = await server.join('ana');
    await client.subscribe(channel);
    expect(await client.refusal('subscribe', { channel, since: places[2] })).toBe('already_subscribed');
    await client.ok('unsubscribe', { channel });
    expect(offsetsOf(await client.subscribe(channel, { since: places[2] }))).toEqual([3, 4, 5]);
  });
});
