// Floods, faults and silence on `/ws`: what a peer may cost before the server ends it, and that nothing of it stays behind.

import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  close,
  expectAlive,
  frame,
  openSession,
  OPCODE,
  RawSocket,
  startSuiteServer,
  text,
  upgradeRequest,
  type SuiteServer,
} from '../support/raw-socket.js';

const RULES = [
  {
    channel: 'room:{name}',
    subscribe: 'anyone',
    publish: 'authenticated',
    historyAccess: 'authenticated',
    history: { size: 50, ttl: '1m' },
  },
];
const PING = '{"event":"ping","id":1}';

function ping(id: number): Buffer {
  return text(`{"event":"ping","id":${id}}`);
}

function repeat(count: number, make: (index: number) => Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
}

describe('the message rate of 10/1s', () => {
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES, { TRUNKLINE_MESSAGE_RATE: '10/1s' });
  });
  afterEach(async () => server.settle());
  afterAll(async () => server.finish());

  it('lets a burst of 20 through and answers the rest rate_limited, in order', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.write(repeat(40, ping));
    const replies = [];
    for (let id = 0; id < 40; id++) replies.push(await raw.next());
    expect(replies.map((reply) => reply.id)).toEqual(replies.map((_, id) => id));
    expect(replies.slice(0, 20).map((reply) => reply.event)).not.toContain('error');
    const refused = replies.filter((reply) => reply.event === 'error');
    // One or two more may pass while the burst is read: 10 a second come back.
    expect(refused.length).toBeGreaterThanOrEqual(17);
    for (const { data } of refused) expect(data).toMatchObject({ code: 'rate_limited', retry: true });
    for (const { data } of refused)
      expect(data['retryAfterMs']).toSatisfy((ms) => Number.isInteger(ms) && ms > 0 && ms <= 2000);
    expect(raw.isOpen).toBe(true);
  });

  it('lets frames through again when the time told has passed', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.write(repeat(30, ping));
    const last = await raw.reply(29);
    expect(last.data['code']).toBe('rate_limited');
    await delay(last.data['retryAfterMs'] as number);
    raw.send({ event: 'ping', id: 'later' });
    expect((await raw.reply('later')).event).toBe('ok');
  });

  it('of one session is not that of another, not even of the same user', async () => {
    const loud = await openSession(server.port, { token: server.token('ana') });
    const quiet = await openSession(server.port, { token: server.token('ana') });
    loud.write(repeat(30, ping));
    await loud.reply(29);
    expect((await quiet.request('ping')).event).toBe('ok');
  });

  it('binds a stranger as well', async () => {
    const raw = await openSession(server.port);
    raw.write(repeat(30, ping));
    expect((await raw.reply(29)).data['code']).toBe('rate_limited');
  });

  const unsubscribe = text('{"event":"unsubscribe","id":1,"data":{"channel":"room:x"}}');
  it.each<[string, Uint8Array]>([
    ['pings', text(PING)],
    ['unknown events', text('{"event":"nope"}')],
    ['frames with wrong data', text('{"event":"subscribe","data":{"channel":1}}')],
    ['unsubscribes', unsubscribe],
    [
      'binary and good frames in turn',
      Buffer.concat([frame({ opcode: OPCODE.binary, payload: 'x' }), text(PING)]),
    ],
    ['malformed and good frames in turn', Buffer.concat([text('{'), text(PING)])],
    ['malformed frames and unsubscribes in turn', Buffer.concat([text('{'), unsubscribe])],
  ])('ends a session that sends 2,000 %s and does not heed: 4101', async (_name, one) => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.write(repeat(2000, () => one));
    raw.send({ event: 'ping', id: 'last' });
    const survived = raw.reply('last').then(
      (reply) => `still served: ${reply.text}`,
      () => 'ended',
    );
    expect(await survived).toBe('ended');
    expect((await raw.waitForClose()).code).toBe(4101);
  });
});

describe('a flood', () => {
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES);
  });
  afterEach(async () => server.settle());
  afterAll(async () => server.finish());

  /** Bytes the process holds. Server and client share it, so a client that queues unread frames would show as well. */
  function heldBytes(): number {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  /** Writes the chunk again and again until all is sent, the peer stops reading, or the connection ends. */
  async function pour(
    raw: RawSocket,
    chunk: Uint8Array,
    times: number,
  ): Promise<{ outcome: string; grownBytes: number }> {
    const before = heldBytes();
    let most = before;
    for (let sent = 0; sent < times; sent++) {
      if (raw.tcp.destroyed || !raw.tcp.writable) return { outcome: 'ended', grownBytes: most - before };
      const drained = new Promise((done) => raw.tcp.write(chunk, done));
      const stalled = await Promise.race([drained.then(() => false), delay(1000, true)]);
      most = Math.max(most, heldBytes());
      if (stalled) return { outcome: 'stalled', grownBytes: most - before };
    }
    return { outcome: 'sent', grownBytes: most - before };
  }

  const MEBIBYTE = 1024 * 1024;
  /** A flood of control frames may also be cut off without a close frame, which the peer would not read. */
  const CUT = [undefined, 1008, 4100, 4101];

  it('of 200,000 pings from a peer that reads nothing is bounded in memory', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.tcp.pause();
    const chunk = repeat(500, () => frame({ opcode: OPCODE.ping, payload: Buffer.alloc(125) }));
    const { outcome, grownBytes } = await pour(raw, chunk, 400);
    expect(['ended', 'stalled']).toContain(outcome);
    expect(grownBytes).toBeLessThan(16 * MEBIBYTE);
    await expectAlive(server);
  });

  it('of 200 MB of history asked for by a peer that reads nothing is bounded in memory', async () => {
    const writer = await openSession(server.port, { token: server.token('ana') });
    const data = 'x'.repeat(10_000);
    for (let i = 0; i < 50; i++) await writer.request('publish', { channel: 'room:big', event: 'e', data });
    const raw = await openSession(server.port, { token: server.token('ben') });
    raw.tcp.pause();
    const chunk = repeat(4, () => text('{"event":"history","id":1,"data":{"channel":"room:big"}}'));
    const { grownBytes } = await pour(raw, chunk, 100);
    expect(grownBytes).toBeLessThan(16 * MEBIBYTE);
    raw.tcp.resume();
    expect((await raw.waitForClose()).code).toBe(4103);
    await expectAlive(server);
  });

  it('of 5,000 pings from a peer that reads is answered in order, or ended', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.write(repeat(5000, (index) => frame({ opcode: OPCODE.ping, payload: `${index}` })));
    raw.send(PING);
    const answered = await raw.reply(1).catch(() => undefined);
    const pongs = raw.frames
      .filter((one) => one.opcode === OPCODE.pong)
      .map((one) => Number(one.payload.toString()));
    expect(pongs).toEqual(pongs.toSorted((a, b) => a - b));
    if (answered === undefined) expect(CUT).toContain((await raw.waitForClose()).code);
    else expect(pongs.at(-1)).toBe(4999);
    await expectAlive(server);
  });

  it('of 5,000 unsolicited pongs is ignored, or ended', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.write(repeat(5000, () => frame({ opcode: OPCODE.pong, payload: 'x' })));
    raw.send(PING);
    const answered = await raw.reply(1).catch(() => undefined);
    if (answered === undefined) expect(CUT).toContain((await raw.waitForClose()).code);
    await expectAlive(server);
  });

  it('of 2,000 frames in one write is answered in order, none left out', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.write(repeat(2000, ping));
    for (let id = 0; id < 2000; id++) expect((await raw.next()).id).toBe(id);
  });

  it('of 200 connections that are reset at once leaves no session', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, async () => openSession(server.port)));
    expect(server.stats().sessions).toBe(200);
    for (const raw of all) raw.tcp.resetAndDestroy();
    await expect.poll(() => server.stats().sessions, { timeout: 5000 }).toBe(0);
  });
});

describe('a connection that breaks', () => {
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES);
  });
  afterEach(async () => server.settle());
  afterAll(async () => server.finish());

  const message = text(
    '{"event":"ping","id":1,"data":{"pad":"a long enough pad to need a sixteen bit length field, that is at least one \
hundred and twenty six bytes"}}',
  );
  const sent = (bytes: Uint8Array) => async (port: number, token: string) => {
    const raw = await openSession(port, { token });
    raw.write(bytes);
    return raw;
  };
  const requested = (bytes: (port: number) => string) => async (port: number) => {
    const raw = await RawSocket.open(port);
    raw.write(bytes(port));
    return raw;
  };
  const STATES: Readonly<Record<string, (port: number, token: string) => Promise<RawSocket>>> = {
    'before the request': requested(() => ''),
    'in the request line': requested(() => 'GET /w'),
    'in the headers': requested((port) => upgradeRequest(port).slice(0, 60)),
    'right behind the request': requested((port) => upgradeRequest(port)),
    'behind a request that is refused': requested((port) => upgradeRequest(port, { path: '/nowhere' })),
    'behind a bad token': requested((port) =>
      upgradeRequest(port, { headers: { Authorization: 'Bearer x' } }),
    ),
    'when idle': sent(Buffer.alloc(0)),
    'behind one byte of a frame': sent(message.subarray(0, 1)),
    'in the length': sent(message.subarray(0, 3)),
    'in the mask': sent(message.subarray(0, 6)),
    'in the payload': sent(message.subarray(0, 50)),
    'between fragments': sent(frame({ payload: '{', fin: false })),
    'behind its own close frame': sent(close(1000)),
    'behind a violation': sent(frame({ opcode: 3 })),
    'with requests under way': sent(
      repeat(50, (id) => text(`{"event":"subscribe","id":${id},"data":{"channel":"room:${id}"}}`)),
    ),
    'with a publish under way': sent(
      text('{"event":"publish","id":1,"data":{"channel":"room:a","event":"e","data":1}}'),
    ),
    'when subscribed and unread': async (port, token) => {
      const raw = await openSession(port, { token });
      await raw.request('subscribe', { channel: 'room:a' });
      raw.tcp.pause();
      raw.write(
        repeat(20, () => text('{"event":"publish","data":{"channel":"room:a","event":"e","data":1}}')),
      );
      return raw;
    },
  };

  it.each(Object.keys(STATES))('by RST %s leaves nothing', async (state) => {
    const raw = await STATES[state]?.(server.port, server.token('ana'));
    raw?.tcp.resetAndDestroy();
    await raw?.waitForClose();
    await expect.poll(() => server.stats().sessions, { timeout: 5000 }).toBe(0);
  });

  it.each(Object.keys(STATES))('by FIN %s is ended by the server too', async (state) => {
    const raw = await STATES[state]?.(server.port, server.token('ana'));
    raw?.tcp.end();
    raw?.tcp.resume();
    await raw?.waitForClose();
    await expect.poll(() => server.stats().sessions, { timeout: 5000 }).toBe(0);
  });
});

describe('a silent peer', () => {
  const HEARTBEAT_MS = 1000;
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES, { TRUNKLINE_HEARTBEAT_MS: String(HEARTBEAT_MS) });
  });
  afterAll(async () => server.finish());

  it.concurrent('that answers no ping is closed 4201 within two heartbeats', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.answersPing = false;
    await raw.nextFrame(OPCODE.ping, 3 * HEARTBEAT_MS);
    expect((await raw.waitForClose(3 * HEARTBEAT_MS)).code).toBe(4201);
  });

  it.concurrent('that answers pings stays', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    for (let beat = 0; beat < 4; beat++) await raw.nextFrame(OPCODE.ping, 3 * HEARTBEAT_MS);
    expect((await raw.request('ping')).event).toBe('ok');
  });

  it.concurrent(
    'that answers pings with other payloads or only sends pongs unasked is judged by its pongs alone',
    async () => {
      const raw = await openSession(server.port, { token: server.token('ana') });
      raw.answersPing = false;
      for (let beat = 0; beat < 3; beat++) {
        await raw.nextFrame(OPCODE.ping, 3 * HEARTBEAT_MS);
        raw.write(frame({ opcode: OPCODE.pong, payload: 'something else' }));
      }
      expect((await raw.request('ping')).event).toBe('ok');
    },
  );

  it.concurrent('in the middle of a frame is closed', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    raw.answersPing = false;
    raw.write(text(PING).subarray(0, 10));
    expect((await raw.waitForClose(5 * HEARTBEAT_MS)).code).toBe(4201);
  });

  it.concurrent(
    'in the middle of a fragmented message is closed though it answers pings',
    async () => {
      const raw = await openSession(server.port, { token: server.token('ana') });
      raw.write(frame({ payload: PING, fin: false }));
      expect([1008, 4004]).toContain((await raw.waitForClose(35_000)).code);
    },
    40_000,
  );

  it.concurrent(
    'that does not answer our close frame is cut off',
    async () => {
      const raw = await openSession(server.port);
      raw.answersClose = false;
      raw.send({ event: 'authenticate', data: { token: 'garbage' } });
      expect((await raw.waitForClose(10_000)).code).toBe(4002);
    },
    20_000,
  );

  it.concurrent(
    'that is a stranger is closed 4001 after 10 s, and one with a subscription stays',
    async () => {
      const guest = await openSession(server.port);
      expect((await guest.request('subscribe', { channel: 'room:a' })).event).toBe('ok');
      const stranger = await openSession(server.port);
      expect((await stranger.request('ping')).event).toBe('ok');
      const start = performance.now();
      expect(await stranger.waitForClose(13_000)).toMatchObject({
        code: 4001,
        reason: 'authentication required',
      });
      expect(performance.now() - start).toBeGreaterThan(9000);
      expect((await guest.request('ping')).event).toBe('ok');
    },
    20_000,
  );

  it.concurrent.each([
    ['that never sends a request', ''],
    ['that stops in its request line', 'GET /ws'],
    ['that stops in its headers', 'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: webs'],
  ])('%s is cut off within 13 s', async (_name, bytes) => {
    const raw = await RawSocket.open(server.port);
    raw.write(bytes);
    await raw.waitForClose(13_000);
  });

  it.concurrent('that sends its headers one by one is cut off within 13 s', async () => {
    const raw = await RawSocket.open(server.port);
    raw.write('GET /ws HTTP/1.1\r\n');
    const timer = setInterval(() => raw.write('X-A: a\r\n'), 500);
    await raw.waitForClose(13_000).finally(() => clearInterval(timer));
  });
});
