// Subscribing under a fast publisher leaves nothing out and repeats nothing: the first live offset is the reply's plus one.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FastPublisher } from '../support/fast-publisher.js';
import { checkStream } from '../support/stream-checker.js';
import { disposeClients, type Frame } from '../support/ws-client.js';

const CYCLES = 400;
const CHANNEL = 'busy:one';

let server: E2eServer;
let publisher: FastPublisher;
beforeAll(async () => {
  server = await startE2e({
    rules: [{ channel: 'busy:{name}', history: { size: 1000, ttl: '1m' } }, { channel: 'plain:{name}' }],
  });
  publisher = new FastPublisher(server.realtime, CHANNEL);
});
afterEach(disposeClients);
afterAll(async () => {
  expect(await publisher.stop()).toBeGreaterThan(1000);
  await server.close();
});

const isLive = ({ event }: Frame): boolean => event === 'message';

describe('a subscription under a fast publisher', () => {
  it(`begins at the offset after its reply, ${CYCLES} times on one socket`, async () => {
    const client = await server.join('ana');
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const { offset } = await client.subscribe(CHANNEL);
      expect((await client.next('message')).data.offset).toBe(offset + 1);
      await client.ok('unsubscribe', { channel: CHANNEL });
      client.forget();
    }
    const { seen, discontinuities } = checkStream(client.frames, CHANNEL);
    expect(seen.length).toBeGreaterThanOrEqual(CYCLES);
    expect(discontinuities).toBe(0);
  });

  it('begins at the offset after its reply for a hundred sockets at once', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, (_, i) => server.join(`user-${i}`)));
    await Promise.all(
      clients.map(async (client) => {
        const { offset } = await client.subscribe(CHANNEL);
        expect((await client.next('message')).data.offset).toBe(offset + 1);
        await client.next('message', ({ data }) => data.offset === offset + 20);
        expect(checkStream(client.frames, CHANNEL).seen.length).toBeGreaterThanOrEqual(20);
      }),
    );
  });

  it('that resumes gets exactly what lies between, then live', async () => {
    const client = await server.join('ana');
    for (let cycle = 0; cycle < 50; cycle++) {
      const first = await client.subscribe(CHANNEL);
      await client.ok('unsubscribe', { channel: CHANNEL });
      const { epoch, offset, id } = first;
      const second = await client.subscribe(CHANNEL, { since: { epoch, offset, id } });
      expect(second['recovered']).toBe(true);
      expect(second.messages.map((message) => message.offset)).toEqual(
        Array.from({ length: second.offset - offset }, (_, i) => offset + 1 + i),
      );
      expect((await client.next('message', ({ data }) => data.offset > second.offset)).data.offset).toBe(
        second.offset + 1,
      );
      await client.ok('unsubscribe', { channel: CHANNEL });
    }
  });

  it('that ended hears nothing after the reply', async () => {
    const client = await server.join('ana');
    for (let cycle = 0; cycle < 100; cycle++) {
      await client.subscribe(CHANNEL);
      await client.next('message');
      await client.ok('unsubscribe', { channel: CHANNEL });
      const end = client.frames.length;
      await client.settled();
      expect(client.frames.slice(end).filter(isLive)).toEqual([]);
    }
  });
});

describe('a channel without history', () => {
  it('gives no offset, says so, and refuses to resume', async () => {
    const client = await server.join('ana');
    const reply = await client.subscribe('plain:a', { since: { epoch: 'e', offset: 1 } });
    expect(reply).toMatchObject({ recoverable: false, recovered: false, reason: 'expired', messages: [] });
    await client.publish('plain:a', 1);
    expect(Object.keys((await client.next('message')).data).sort()).toEqual(
      ['channel', 'data', 'event', 'from', 'id', 'time'].sort(),
    );
  });
});
