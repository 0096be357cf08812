// Floods of connections, of requests that are refused, of fragments and of frames that never end: memory stays bounded, those who behave are
// served meanwhile, and nothing stays behind. What each limit refuses is the matter of its own test.

import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  close,
  frame,
  openSession,
  OPCODE,
  startSuiteServer,
  text,
  upgradeRequest,
  type SuiteServer,
} from '../support/raw-socket.js';

const RULES = [
  { channel: 'room:{name}', subscribe: 'anyone', publish: 'authenticated', history: { size: 50, ttl: '1m' } },
];
const MEBIBYTE = 1024 * 1024;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Milliseconds an honest request may take in a flood. It takes 1 to 30 on two cores that the flood shares. */
const HONEST_MS = 2000;

let server: SuiteServer;
beforeAll(async () => {
  server = await startSuiteServer(RULES, {
    TRUNKLINE_FAILED_LOGIN_RATE: '0',
    TRUNKLINE_MAX_STRANGERS_PER_ADDRESS: '0',
  });
});
afterEach(async () => server.settle());
afterAll(async () => server.finish());

function heldBytes(): number {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

/** Growth that is looked at twice: below it nothing is wrong, above it may be garbage that nobody has collected yet. */
const SUSPECT_BYTES = 16 * MEBIBYTE;

function grownSince(before: number): number {
  const grown = heldBytes() - before;
  if (grown < SUSPECT_BYTES) return grown;
  collect();
  return heldBytes() - before;
}

/** Runs the flood while an honest session pings; gives the longest answer and the most memory. */
async function duringWhich(flood: () => Promise<void>): Promise<{ slowestMs: number; grownBytes: number }> {
  const honest = await openSession(server.port, { token: server.token('honest') });
  collect();
  const before = heldBytes();
  const run = { slowestMs: 0, grown: 0, over: false };
  const watch = (async () => {
    while (!run.over) {
      const start = performance.now();
      expect((await honest.request('ping')).event).toBe('ok');
      run.slowestMs = Math.max(run.slowestMs, performance.now() - start);
      run.grown = Math.max(run.grown, grownSince(before));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  await flood().finally(() => (run.over = true));
  await watch;
  honest.dispose();
  return { slowestMs: run.slowestMs, grownBytes: run.grown };
}

/** Connects, sends, and waits until the server or we end it. */
function visit(bytes: string, wait: 'answer' | 'nothing'): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(server.port, '127.0.0.1');
    // A reset is an end like another.
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    socket.once('connect', () => {
      if (bytes !== '') socket.write(bytes);
      if (wait === 'nothing') socket.destroy();
    });
    socket.once('data', () => socket.destroy());
  });
}

async function inWaves(count: number, one: (index: number) => Promise<void>): Promise<void> {
  const WAVE = 100;
  for (let start = 0; start < count; start += WAVE)
    await Promise.all(Array.from({ length: Math.min(WAVE, count - start) }, (_, at) => one(start + at)));
}

describe('a flood of', { timeout: 60_000 }, () => {
  const bad = (): string => upgradeRequest(server.port, { headers: { Authorization: 'Bearer a.b.c' } });
  const VISITS: Readonly<Record<string, () => Promise<void>>> = {
    'connections that say nothing': () => visit('', 'nothing'),
    'connections that say half a request': () => visit('GET /ws HTTP/1.1\r\nHo', 'nothing'),
    'upgrades with a bad credential': () => visit(bad(), 'answer'),
    'upgrades to nothing': () => visit(upgradeRequest(server.port, { path: '/none' }), 'answer'),
    'upgrades of another version': () =>
      visit(upgradeRequest(server.port, { headers: { 'Sec-WebSocket-Version': '8' } }), 'answer'),
    'upgrades that leave before their answer': () => visit(upgradeRequest(server.port), 'nothing'),
    'upgrades that leave after it': () => visit(upgradeRequest(server.port), 'answer'),
    'requests that are refused': () => visit('GET /api/stats HTTP/1.1\r\nHost: a\r\n\r\n', 'answer'),
    'requests that are no HTTP': () => visit('\x16\x03\x01\x02\x00nonsense\r\n\r\n', 'answer'),
    'streams that leave at once': () =>
      visit('GET /sse?channel=room:a HTTP/1.1\r\nHost: a\r\n\r\n', 'answer'),
  };

  it.each(Object.keys(VISITS))('1,000 %s leaves nothing, and others are served', async (name) => {
    const { slowestMs, grownBytes } = await duringWhich(() =>
      inWaves(1000, () => VISITS[name]?.() ?? Promise.resolve()),
    );
    expect(slowestMs).toBeLessThan(HONEST_MS);
    expect(grownBytes).toBeLessThan(40 * MEBIBYTE);
    await expect.poll(() => server.connections(), { timeout: 5000 }).toBe(0);
  });
});

describe('a flood by one socket of', { timeout: 60_000 }, () => {
  const repeat = (count: number, one: () => Uint8Array): Buffer =>
    Buffer.concat(Array.from({ length: count }, one));
  interface Flood {
    readonly bytes: () => Buffer;
    /** How it may end; undefined: without a close frame. */
    readonly ends: readonly (number | 'served' | undefined)[];
  }
  const FLOODS: Readonly<Record<string, Flood>> = {
    'fragments of one byte': {
      bytes: () =>
        Buffer.concat([
          frame({ payload: 'a', fin: false }),
          repeat(20_000, () => frame({ opcode: OPCODE.continuation, payload: 'a', fin: false })),
        ]),
      ends: [1008],
    },
    'fragments with a ping between each': {
      bytes: () =>
        Buffer.concat([
          frame({ payload: 'a', fin: false }),
          repeat(10_000, () =>
            Buffer.concat([
              frame({ opcode: OPCODE.ping, payload: 'p' }),
              frame({ opcode: OPCODE.continuation, payload: '', fin: false }),
            ]),
          ),
        ]),
      // The pings may be too many before the fragments are; then it is cut off without a word.
      ends: [undefined, 1008],
    },
    'messages of 64 fragments each': {
      bytes: () =>
        repeat(300, () =>
          Buffer.concat([
            frame({ payload: '{', fin: false }),
            repeat(62, () => frame({ opcode: OPCODE.continuation, payload: ' ', fin: false })),
            frame({ opcode: OPCODE.continuation, payload: '}' }),
          ]),
        ),
      ends: [4004],
    },
    'messages of 64 KiB': {
      bytes: () => repeat(200, () => text(`"${'a'.repeat(65_000)}"`)),
      ends: [4004],
    },
    'empty messages': { bytes: () => repeat(20_000, () => text('')), ends: [4004] },
    'binary messages': {
      bytes: () => repeat(20_000, () => frame({ opcode: OPCODE.binary, payload: 'a' })),
      ends: [4004],
    },
    'close frames': { bytes: () => repeat(20_000, () => close(1000)), ends: [1000] },
    'pongs with the most they may carry': {
      bytes: () => repeat(20_000, () => frame({ opcode: OPCODE.pong, payload: Buffer.alloc(125) })),
      ends: [undefined, 1008, 4101, 'served'],
    },
  };

  it.each(Object.keys(FLOODS))('%s is bounded, and ended where it breaks a rule', async (name) => {
    const { bytes, ends } = FLOODS[name] as Flood;
    const all = bytes();
    const raw = await openSession(server.port, { token: server.token('ana') });
    let ended: number | undefined | 'served';
    const { slowestMs, grownBytes } = await duringWhich(async () => {
      raw.write(all);
      raw.send('{"event":"ping","id":"last"}');
      ended = await raw.reply('last', 10_000).then(
        () => 'served' as const,
        async () => (await raw.waitForClose(10_000)).code,
      );
    });
    expect(ends as readonly unknown[]).toContain(ended);
    expect(slowestMs).toBeLessThan(HONEST_MS);
    expect(grownBytes).toBeLessThan(64 * MEBIBYTE + all.length);
  });
});

describe('200 sockets that each hold back the end', { timeout: 60_000 }, () => {
  it('of a message of 64 KiB cost what has come and no more', async () => {
    const COUNT = 200;
    const PART = 1000;
    const token = server.token('ana');
    const { grownBytes, slowestMs } = await duringWhich(async () => {
      const all = await Promise.all(Array.from({ length: COUNT }, () => openSession(server.port, { token })));
      for (const raw of all) raw.write(frame({ payload: 'a'.repeat(PART), claim: 65_536n, lengthBits: 64 }));
      // Twenty answers to the honest one: everything sent before has been read.
      for (let at = 0; at < 20; at++) await new Promise((resolve) => setTimeout(resolve, 10));
      expect(all.every((raw) => raw.isOpen)).toBe(true);
      expect(server.stats().sessions).toBe(COUNT + 1);
      for (const raw of all) raw.dispose();
    });
    // A session itself takes about 10 KiB, the test's side of it as much; the claimed 64 KiB each would be 13 MiB.
    expect(grownBytes).toBeLessThan(COUNT * 60 * 1024 + 24 * MEBIBYTE);
    expect(slowestMs).toBeLessThan(HONEST_MS);
  });
});
