// One total order per channel: ten publishers, twenty subscribers, by WebSocket and REST.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { checkHistory, type History, type Published, type Run } from '../support/history-checker.js';
import { checkStream } from '../support/stream-checker.js';
import type { Message, WsClient } from '../support/ws-client.js';

const CHANNEL = 'order:one';
const PUBLISHERS = 10;
const SUBSCRIBERS = 20;
const EACH = 40;

let server: E2eServer;
let recorded: Awaited<ReturnType<typeof record>>;
beforeAll(async () => {
  server = await startE2e({
    rules: [{ channel: 'order:{name}', history: { size: 1000, ttl: '1m' } }],
  });
  recorded = await record();
});
afterAll(() => server.close());

type Send = (data: { mark: string }) => Promise<Published['place']>;

async function byWebSocket(user: string): Promise<Send> {
  const client = await server.join(user);
  return async (data) => client.publish(CHANNEL, data);
}

async function byRest(): Promise<Send> {
  return async (data) => {
    const response = await server.api('POST', `/channels/${CHANNEL}/messages`, { event: 'tick', data });
    expect(response.status).toBe(201);
    return (await response.json()) as NonNullable<Published['place']>;
  };
}

/** Each waits for its answer before it sends the next. */
async function publishAll(name: string, send: Send, into: Published[]): Promise<void> {
  for (let n = 0; n < EACH; n++) {
    const mark = `${name}-${n}`;
    const invoked = performance.now();
    const place = await send({ mark });
    into.push({ mark, invoked, answered: performance.now(), place });
  }
}

interface Subscriber {
  readonly client: WsClient;
  readonly from: Run['from'];
  readonly arrivals: Map<number, number>;
}

async function subscriber(index: number): Promise<Subscriber> {
  const arrivals = new Map<number, number>();
  const client = await server.join(`sub-${index}`);
  client.socket.on('message', (data) => {
    const { event, data: message } = JSON.parse((data as Buffer).toString()) as {
      event: string;
      data: Message;
    };
    if (event === 'message') arrivals.set(message.offset, performance.now());
  });
  return { client, from: await client.subscribe(CHANNEL), arrivals };
}

function runOf({ client, from, arrivals }: Subscriber, index: number): Run {
  const seen = client.frames
    .filter(({ event }) => event === 'message')
    .map(({ data }) => data as unknown as Message)
    .map(({ data, offset, id }) => ({
      mark: (data as { mark: string }).mark,
      epoch: from.epoch,
      offset,
      id,
      at: arrivals.get(offset) as number,
    }));
  return { name: `subscriber ${index}`, from, seen, toTheEnd: true };
}

async function record(): Promise<{ history: History; subscribers: readonly Subscriber[] }> {
  const published: Published[] = [];
  const subscribers = await Promise.all(Array.from({ length: SUBSCRIBERS }, (_, i) => subscriber(i)));
  const senders = await Promise.all(
    Array.from({ length: PUBLISHERS }, (_, i) => (i < 2 ? byRest() : byWebSocket(`pub-${i}`))),
  );
  await Promise.all(senders.map((send, i) => publishAll(`p${i}`, send, published)));
  await Promise.all(subscribers.map(({ client }) => client.settled()));
  return { history: { published, runs: subscribers.map(runOf) }, subscribers };
}

describe('ten publishers and twenty subscribers', () => {
  it('agree on one order, which is the order of time', () => {
    const { history, subscribers } = recorded;
    expect(history.published).toHaveLength(PUBLISHERS * EACH);
    for (const run of history.runs) expect(run.seen).toHaveLength(PUBLISHERS * EACH);
    checkHistory(history);
    for (const { client } of subscribers) expect(checkStream(client.frames, CHANNEL).discontinuities).toBe(0);
  });

  it('find the same order in the history', async () => {
    const reader = await server.join('reader');
    const live = await server.join('live');
    const from = await live.subscribe(CHANNEL, {
      since: { epoch: (await reader.subscribe(CHANNEL)).epoch, offset: 0 },
    });
    const read: Message[] = [];
    for (let since: object = { epoch: from.epoch, offset: 0 }; ;) {
      const page = await reader.ok('history', { channel: CHANNEL, since, limit: 150 });
      read.push(...page.messages);
      const last = page.messages.at(-1);
      if (last === undefined) break;
      since = { epoch: page.epoch, offset: last.offset, id: last.id };
    }
    expect(from['recovered']).toBe(true);
    expect(read.map(({ offset, id }) => [offset, id])).toEqual(
      from.messages.map(({ offset, id }) => [offset, id]),
    );
    expect(read).toHaveLength(PUBLISHERS * EACH);
  });
});
