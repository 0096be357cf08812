// When and how the client comes back: backoff, close codes, drain, silence.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backoffDelay } from '../../client/src/backoff.js';
import { ConnectionMachine } from '../../client/src/connection-machine.js';
import { clientFor, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import { CLOSE, closeAdvice } from '../../src/protocol/codes.js';
import { FakeWsServer, type FakePeer } from '../support/fake-ws-server.js';

const OPTIONS = { minDelayMs: 500, maxDelayMs: 20_000, stableAfterMs: 10_000 };

function machine(random = 0.5): ConnectionMachine {
  const made = new ConnectionMachine({ ...OPTIONS, random: () => random });
  made.connect();
  return made;
}

describe('backoff', () => {
  it('lies anywhere between the minimum and the doubled ceiling, and never above the maximum', () => {
    const between = (failures: number): readonly number[] =>
      [0, 0.5, 0.999999].map((x) => backoffDelay(failures, { ...OPTIONS, random: () => x }));
    expect(between(1)).toEqual([500, 750, 1000]);
    expect(between(3)).toEqual([500, 2250, 4000]);
    expect(between(6)).toEqual([500, 10_250, 20_000]);
    expect(between(5000)).toEqual([500, 10_250, 20_000]);
  });

  it('grows with each failure and starts again only after a stable period', () => {
    const made = machine();
    const fail = (now: number): number | undefined => {
      const { retryInMs } = made.lost(1006, 'gone', now);
      made.connect();
      return retryInMs;
    };
    expect([fail(0), fail(0), fail(0)]).toEqual([750, 1250, 2250]);
    made.opened(100_000);
    expect(fail(100_000 + 9_999), 'held just too short').toBe(4250);
    made.opened(200_000);
    expect(fail(200_000 + 10_000), 'held long enough').toBe(750);
  });
});

describe('close codes', () => {
  it('end in the state their range names, each code of the table', () => {
    for (const { code } of Object.values(CLOSE)) {
      const made = machine();
      made.opened(0);
      const { state } = made.lost(code, 'test', 20_000);
      const expected = { stop: 'closed', refresh: 'connecting', backoff: 'waiting' }[closeAdvice(code)];
      expect(state, `code ${code}`).toBe(expected);
    }
  });

  it('that ask for a refresh lead to one reconnect at once, then to waiting, until a connection has held', () => {
    const made = machine();
    made.opened(0);
    expect(made.lost(4200, 'token expired', 1).state).toBe('connecting');
    made.opened(2);
    expect(made.lost(4200, 'token expired', 3)).toMatchObject({ state: 'waiting', retryInMs: 750 });
    made.connect();
    made.opened(10);
    expect(made.lost(4202, 'moved', 20_000).state).toBe('connecting');
  });

  it('of a server that goes away shorten the first wait and keep it spread', () => {
    const first = (random: number): unknown => machine(random).lost(1001, 'going away', 0);
    expect(first(0)).toMatchObject({ state: 'waiting', retryInMs: 0 });
    expect(first(0.9)).toMatchObject({ state: 'waiting', retryInMs: 450 });
    const made = machine();
    made.lost(1001, 'going away', 0);
    expect(made.lost(1001, 'going away', 0)).toMatchObject({ retryInMs: 750 });
  });
});

describe('a connection', () => {
  let server: FakeWsServer;
  let client: ClientUnderTest;

  beforeEach(async () => {
    server = await FakeWsServer.start();
    client = clientFor(server.url);
  });

  afterEach(async () => {
    client.trunkline.close();
    expect(client.clock.pending, 'timers left behind').toBe(0);
    await server.stop();
  });

  async function connected(): Promise<FakePeer> {
    client.trunkline.connect();
    const peer = await server.peer();
    peer.welcome();
    await inState(client, 'connected');
    return peer;
  }

  it('is not opened before the first use', async () => {
    client.trunkline.channel('chat:lobby');
    expect(client.trunkline.state).toBe('idle');
    const call = client.trunkline.channel('chat:lobby').subscribe();
    expect(client.trunkline.state).toBe('connecting');
    const peer = await server.peer();
    peer.welcome();
    peer.ok(await peer.next('subscribe'), subscribedAt(0));
    await call;
  });

  it('backs off while handshakes are refused, and resumes by itself', async () => {
    server.refuse(503, 401, 429);
    client.trunkline.connect();
    for (const retryInMs of [750, 1250, 2250]) {
      expect(await inState(client, 'waiting')).toMatchObject({ code: 1006, retryInMs });
      client.clock.advance(retryInMs - 1);
      expect(client.trunkline.state).toBe('waiting');
      client.clock.advance(1);
      expect(client.trunkline.state).toBe('connecting');
    }
    (await server.peer()).welcome();
    await inState(client, 'connected');
    expect(client.trunkline.user).toBe('ana');
  });

  it('counts as failed when no welcome comes in time', async () => {
    client.trunkline.connect();
    const peer = await server.peer();
    client.clock.advance(10_000);
    expect(client.states.at(-1)).toMatchObject({ state: 'waiting', reason: 'no welcome in time' });
    await peer.closed();
  });

  it('stops for good at a terminal code and rejects what waits, until connect() is called', async () => {
    const peer = await connected();
    const call = client.trunkline.channel('chat:lobby').history();
    await peer.next('history');
    peer.close(4003, 'revoked');
    await expect(call).rejects.toMatchObject({
      code: 'closed',
      message: 'The connection is closed (4003): revoked.',
    });
    expect(client.trunkline.state).toBe('closed');
    expect(client.trunkline.reason).toBe('revoked');
    await expect(client.trunkline.channel('chat:lobby').publish('message', {})).rejects.toMatchObject({
      code: 'closed',
    });
    expect(client.clock.pending).toBe(0);
    await connected();
  });

  it('moves when its slot in a drain has come, not before', async () => {
    const peer = await connected();
    peer.push('reconnect', { afterMs: 4000, reason: 'drain' });
    const call = client.trunkline.channel('chat:lobby').presence();
    peer.ok(await peer.next('presence'), { channel: 'chat:lobby', members: [] });
    await call;
    client.clock.advance(3999);
    expect(client.trunkline.state).toBe('connected');
    client.clock.advance(1);
    expect(client.states.at(-1)).toMatchObject({ state: 'connecting', reason: 'drain' });
    (await server.peer()).welcome();
    await inState(client, 'connected');
    expect((await peer.closed()).code).toBe(1000);
  });

  it('that is cut within a drain is not opened a second time at the slot', async () => {
    const peer = await connected();
    peer.push('reconnect', { afterMs: 4000, reason: 'drain' });
    peer.close(1001, 'going away');
    const { retryInMs } = await inState(client, 'waiting');
    expect(retryInMs).toBe(250);
    client.clock.advance(250);
    (await server.peer()).welcome();
    await inState(client, 'connected');
    client.clock.advance(4000);
    expect(client.trunkline.state).toBe('connected');
    expect(server.waiting).toBe(0);
  });

  it('asks by a ping after a heartbeat of silence and ends after half of one more', async () => {
    const peer = await connected();
    client.clock.advance(24_999);
    expect(peer.unread).toBe(0);
    client.clock.advance(1);
    await peer.next('ping');
    client.clock.advance(12_499);
    expect(client.trunkline.state).toBe('connected');
    client.clock.advance(1);
    expect(client.states.at(-1)).toMatchObject({ state: 'waiting', reason: 'the server is silent' });
    await peer.closed();
  });

  it('lives on when anything comes after the ping', async () => {
    const peer = await connected();
    client.clock.advance(25_000);
    peer.ok(await peer.next('ping'), { time: 1 });
    const other = client.trunkline.channel('chat:lobby').presence();
    peer.ok(await peer.next('presence'), { channel: 'chat:lobby', members: [] });
    await other;
    client.clock.advance(24_999);
    expect(client.trunkline.state).toBe('connected');
    expect(client.errors).toEqual([]);
  });

  it('is given up when a request has no answer and nothing else has come since', async () => {
    const peer = await connected();
    const call = client.trunkline.channel('chat:lobby').history({ limit: 5 });
    await peer.next('history');
    client.clock.advance(10_000);
    expect(client.states.at(-1)).toMatchObject({ state: 'waiting', reason: 'the server does not answer' });
    client.clock.advance(750);
    const again = await server.peer();
    again.welcome();
    const frame = await again.next('history');
    expect(frame.data).toEqual({ channel: 'chat:lobby', limit: 5 });
    again.ok(frame, { channel: 'chat:lobby', epoch: 'e', offset: 0, id: '', messages: [] });
    expect(await call).toMatchObject({ messages: [] });
  });

  it('is closed by close() at any moment, and nothing of it is left', async () => {
    client.trunkline.connect();
    client.trunkline.close();
    expect(client.states.at(-1)).toEqual({ state: 'closed', reason: 'closed by the client' });
    const peer = await connected();
    client.trunkline.close();
    expect((await peer.closed()).code).toBe(1000);
    expect(client.trunkline.session).toBeUndefined();
  });

  it('tells why when the platform has no WebSocket', async () => {
    const bare = clientFor(server.url, { webSocket: undefined as never });
    const had = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
    Object.defineProperty(globalThis, 'WebSocket', { value: undefined, configurable: true });
    try {
      await expect(bare.trunkline.channel('a').subscribe()).rejects.toMatchObject({
        code: 'closed',
        message: expect.stringContaining('`webSocket`') as string,
      });
    } finally {
      if (had === undefined) delete (globalThis as { WebSocket?: unknown }).WebSocket;
      else Object.defineProperty(globalThis, 'WebSocket', had);
    }
  });
});

function subscribedAt(offset: number): object {
  return {
    channel: 'chat:lobby',
    epoch: 'e1',
    offset,
    id: '',
    recoverable: true,
    recovered: false,
    messages: [],
  };
}
