// Between `subscribed` and an explicit discontinuity there is no gap, no repeat and no swap; and the checkers that say so can fail.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FastPublisher } from '../support/fast-publisher.js';
import { checkHistory, type Delivered, type History, type Published } from '../support/history-checker.js';
import { SeededRandom } from '../support/seeded-random.js';
import { checkStream } from '../support/stream-checker.js';
import { disposeClients, type Frame, type WsClient } from '../support/ws-client.js';

const SEED = 20_261;
const SESSIONS = 12;
const STEPS = 60;

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({ rules: [{ channel: 'stream:{name}', history: { size: 200, ttl: '1m' } }] });
});
afterEach(disposeClients);
afterAll(() => server.close());

/** A session that comes, goes, reconnects and resumes by chance; gives the frames of each of its connections. */
async function wander(channel: string, random: SeededRandom): Promise<Frame[][]> {
  const connections: Frame[][] = [];
  let client: WsClient | undefined;
  let position: { epoch: string; offset: number; id: string } | undefined;
  for (let step = 0; step < STEPS; step++) {
    if (client === undefined) {
      client = await server.join('wanderer');
      connections.push(client.frames);
      position = placeAfter(
        await client.subscribe(channel, position === undefined ? {} : { since: position }),
      );
    } else if (random.below(3) === 0) {
      await client.ok('unsubscribe', { channel });
      position = placeAfter(
        await client.subscribe(channel, random.below(2) === 0 ? {} : { since: lastOf(client) }),
      );
    } else if (random.below(4) === 0) {
      client.cut();
      await client.closed;
      position = lastOf(client) ?? position;
      client = undefined;
    } else {
      await client.next('message');
    }
  }
  client?.cut();
  return connections;
}

function placeAfter(reply: { epoch: string; offset: number; id: string }) {
  return { epoch: reply.epoch, offset: reply.offset, id: reply.id };
}

/** Where the client stands by its last live message or, if there is none, its last subscribe reply. */
function lastOf({ frames }: WsClient): { epoch: string; offset: number; id: string } | undefined {
  const subscribed = frames.findLast(({ data }) => 'recoverable' in data)?.data;
  const last = frames.findLast(({ event, data }) => event === 'message' || 'recoverable' in data)?.data;
  return subscribed && last && { epoch: subscribed.epoch, offset: last.offset, id: last.id };
}

describe('a session under a fast publisher', () => {
  it('that comes, goes and resumes by chance sees no gap, no repeat, no swap', async () => {
    const channel = 'stream:wander';
    const publisher = new FastPublisher(server.realtime, channel);
    const wanderers = await Promise.all(
      Array.from({ length: SESSIONS }, (_, i) => wander(channel, new SeededRandom(SEED + i))),
    );
    expect(await publisher.stop()).toBeGreaterThan(200);
    const ids = new Map<number, string>();
    for (const frames of wanderers.flat()) {
      for (const { offset, id } of checkStream(frames, channel).seen) {
        expect(ids.get(offset) ?? id).toBe(id);
        ids.set(offset, id);
      }
    }
    expect(ids.size).toBeGreaterThan(100);
  });

  it('that stays sees all of many channels, each in its own order', async () => {
    const channels = Array.from({ length: 8 }, (_, i) => `stream:many-${i}`);
    const client = await server.join('ana');
    for (const channel of channels) await client.subscribe(channel);
    const publishers = channels.map((channel) => new FastPublisher(server.realtime, channel));
    await client.next('message', ({ data }) => data.channel === channels[7] && data.offset === 60);
    const counts = await Promise.all(publishers.map((publisher) => publisher.stop()));
    await client.settled();
    channels.forEach((channel, i) => {
      const { seen, discontinuities, standing } = checkStream(client.frames, channel);
      expect([seen.length, discontinuities, standing?.offset]).toEqual([counts[i], 0, counts[i]]);
    });
  });
});

describe('the checker of streams fails when', () => {
  const channel = 'stream:mutation';
  let frames: readonly Frame[];
  beforeAll(async () => {
    const client = await server.join('ana');
    await client.subscribe(channel);
    for (let n = 0; n < 6; n++) await client.publish(channel, n);
    await client.settled();
    frames = structuredClone(client.frames);
    expect(checkStream(frames, channel).seen).toHaveLength(6);
  });

  const messagesAt = (list: readonly Frame[]): number[] =>
    list.flatMap(({ event }, index) => (event === 'message' ? [index] : []));

  const MUTATIONS: Readonly<Record<string, (list: Frame[], at: readonly number[]) => void>> = {
    'a message is left out': (list, at) => void list.splice(at[2] as number, 1),
    'a message comes twice': (list, at) =>
      void list.splice(at[3] as number, 0, list[at[2] as number] as Frame),
    'two messages change places': (list, at) => {
      const [a, b] = [at[1] as number, at[2] as number];
      [list[a], list[b]] = [list[b] as Frame, list[a] as Frame];
    },
    'a message comes before the subscribe reply': (list, at) =>
      void list.unshift(list.splice(at[0] as number, 1)[0] as Frame),
    'a message follows the unsubscribe reply': (list, at) =>
      void list.splice(at[5] as number, 0, { event: 'ok', id: 99, data: { channel } as Frame['data'] }),
    'a gap is told where none is': (list, at) =>
      void list.splice(at[3] as number, 0, {
        event: 'gap',
        data: { channel, epoch: list[1]?.data.epoch, from: 2, to: 3 } as unknown as Frame['data'],
      }),
  };

  it.each(Object.keys(MUTATIONS))('%s', (name) => {
    const list = [...frames];
    MUTATIONS[name]?.(list, messagesAt(list));
    expect(() => checkStream(list, channel)).toThrow(/^Frame/);
  });
});

describe('the checker of histories fails when', () => {
  const place = (offset: number) => ({ epoch: 'e', offset, id: `i${offset}` });
  const published: readonly Published[] = [1, 2, 3, 4].map((n) => ({
    mark: `m${n}`,
    invoked: n * 10,
    answered: n * 10 + 5,
    place: place(n),
  }));
  const seen: readonly Delivered[] = [1, 2, 3, 4].map((n) => ({
    mark: `m${n}`,
    ...place(n),
    at: n * 10 + 2,
  }));
  const runOf = (list: readonly Delivered[]): History['runs'] => [
    { name: 'ana', from: { epoch: 'e', offset: 0 }, seen: list, toTheEnd: true },
  ];
  const without = (index: number) => seen.filter((_, i) => i !== index);
  const changed = (index: number, change: Partial<Delivered>) =>
    seen.map((entry, i) => (i === index ? { ...entry, ...change } : entry));
  const told = (index: number, change: Partial<Published>) =>
    published.map((entry, i) => (i === index ? { ...entry, ...change } : entry));

  const BREACHES: Readonly<Record<string, History>> = {
    'a delivery is missing': { published, runs: runOf(without(1)) },
    'the last delivery is missing': { published, runs: runOf(without(3)) },
    'a delivery comes twice': { published, runs: runOf([...seen.slice(0, 2), ...seen.slice(1)]) },
    'two deliveries change places': {
      published,
      runs: runOf([seen[1], seen[0], seen[2], seen[3]] as Delivered[]),
    },
    'a delivery has another id': { published, runs: runOf(changed(2, { id: 'other' })) },
    'a delivery has another epoch': { published, runs: runOf(changed(2, { epoch: 'other' })) },
    'a delivery carries what nobody published': { published, runs: runOf(changed(2, { mark: 'stray' })) },
    'a delivery carries the payload of another offset': {
      published,
      runs: runOf(changed(2, { mark: 'm2' })),
    },
    'a delivery came before it was sent': { published, runs: runOf(changed(2, { at: 1 })) },
    'a refused publication is delivered': { published: told(3, { place: undefined }), runs: runOf(seen) },
    'an offset is given twice': { published: told(3, { place: place(3) }), runs: [] },
    'an id is given twice': { published: told(3, { place: { ...place(4), id: 'i3' } }), runs: [] },
    'an offset is left out': { published: told(3, { place: place(5) }), runs: [] },
    'the epoch changes unseen': { published: told(3, { place: { ...place(4), epoch: 'f' } }), runs: [] },
    'a later publication stands before an earlier one': {
      published: [
        ...published.slice(0, 2),
        ...told(2, { place: place(4) }).slice(2, 3),
        ...told(3, { place: place(3) }).slice(3),
      ],
      runs: [],
    },
  };

  it.each(Object.keys(BREACHES))('%s', (name) => {
    expect(() => checkHistory({ published, runs: runOf(seen) })).not.toThrow();
    expect(() => checkHistory(BREACHES[name] as History)).toThrow();
  });
});
