// The bounds of streams and polls: sessions of a user, connects of an address, polls of a user, and what one resume may cost.

import { afterEach, describe, expect, it } from 'vitest';
import { encodeCursor } from '../../src/protocol/cursor.js';
import type { Position } from '../../src/protocol/position.js';
import { poll, type PollAnswer } from '../support/poll-client.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, Refused } from '../support/ws-client.js';

let server: StreamServer;
afterEach(async () => {
  disposeStreams();
  disposeClients();
  await server.close();
});

describe('the sessions of a user', () => {
  it('are counted over all transports, and one that goes makes room', async () => {
    server = await startStreams({ env: { TRUNKLINE_MAX_SESSIONS_PER_USER: '2' } });
    const token = server.token('ana');
    const stream = await openSse(server.url, ['room:a'], { token });
    await connect(server.wsUrl, { token });
    const { status, headers, problem } = await sseRefused(server.url, ['room:a'], { token });
    expect([status, problem['code']]).toEqual([429, 'limit_exceeded']);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    await expect(connect(server.wsUrl, { token })).rejects.toThrow(Refused);
    stream.destroy();
    await until(() => server.core.hub.sessionCount === 1, 'the stream to be freed');
    await (await openSse(server.url, ['room:a'], { token })).ready();
  });

  it('of the whole instance end with 503', async () => {
    server = await startStreams({ env: { TRUNKLINE_MAX_SESSIONS: '1' } });
    await openSse(server.url, ['room:a'], { token: server.token('ana') });
    const { status, headers, problem } = await sseRefused(server.url, ['room:a'], {
      token: server.token('ben'),
    });
    expect([status, problem['code'], problem['retry']]).toEqual([503, 'unavailable', true]);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  });
});

describe('the rate', () => {
  it('of connects of an address bounds streams too', async () => {
    server = await startStreams({ env: { TRUNKLINE_CONNECT_RATE: '2/1h' } });
    const token = server.token('ana');
    for (let n = 0; n < 4; n++) await openSse(server.url, ['room:a'], { token });
    const { status, headers, problem } = await sseRefused(server.url, ['room:a'], { token });
    expect([status, problem['code'], problem['retry']]).toEqual([429, 'rate_limited', true]);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  });

  it('of messages bounds the polls of a user, and not those of another', async () => {
    server = await startStreams({ env: { TRUNKLINE_MESSAGE_RATE: '5/1h' } });
    const ask = (user: string): Promise<PollAnswer> =>
      poll(server.url, ['room:a'], { token: server.token(user), wait: 0 });
    for (let n = 0; n < 10; n++) expect((await ask('ana')).status).toBe(200);
    const { status, headers, problem } = await ask('ana');
    expect([status, problem['code']]).toEqual([429, 'rate_limited']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask('ben')).status).toBe(200);
  });
});

describe('a resume of many channels', () => {
  const OUTBOX_BYTES = 300_000;
  const CHANNELS = 60;
  /** Each channel has missed nearly an outbox; all of them are 16 MB, of which a kernel takes about 4. */
  const MISSED = 9;
  const PAYLOAD = 'x'.repeat(30_000);

  async function muchMissed(): Promise<{ channels: string[]; cursor: string }> {
    server = await startStreams({
      rules: [{ channel: 'room:{name}', maxBytes: 65_536, history: { size: 20, ttl: '5m' } }],
      env: { TRUNKLINE_OUTBOX_BYTES: String(OUTBOX_BYTES) },
    });
    const channels = Array.from({ length: CHANNELS }, (_, i) => `room:${i}`);
    const positions = new Map<string, Position>();
    for (const channel of channels) {
      const { epoch, offset, id } = await server.realtime.publish(channel, 'tick', 'seen');
      positions.set(channel, { epoch, offset, id });
      for (let n = 0; n < MISSED; n++) await server.realtime.publish(channel, 'tick', PAYLOAD);
    }
    return { channels, cursor: encodeCursor(positions) };
  }

  it('by a stream that is not read costs about the outbox bound', async () => {
    const { channels, cursor } = await muchMissed();
    const stream = await openSse(server.url, channels, { token: server.token('ana'), cursor });
    stream.pause();
    const [session] = [...server.core.hub.all()];
    expect(session?.waitingBytes ?? 0).toBeLessThanOrEqual(2 * OUTBOX_BYTES);
  });

  it('by a poll is given in an answer of bounded size, and the rest is told or given later', async () => {
    const { channels, cursor } = await muchMissed();
    const answer = await poll(server.url, channels, { token: server.token('ana'), cursor, wait: 0 });
    expect(answer.status).toBe(200);
    expect(Buffer.byteLength(answer.text)).toBeLessThanOrEqual(2 * OUTBOX_BYTES);
  });
});
