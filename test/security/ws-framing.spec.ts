// Frames of RFC 6455 by hand: what must be understood, and what must end the connection with which code. Knows nothing of channels.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  frame,
  openSession,
  OPCODE,
  RawSocket,
  startSuiteServer,
  text,
  upgradeRequest,
  type SuiteServer,
} from '../support/raw-socket.js';

const MAX_BYTES = 65536;
const PING_1 = '{"event":"ping","id":1}';

let server: SuiteServer;
beforeAll(async () => {
  server = await startSuiteServer();
});
afterEach(async () => server.settle());
afterAll(async () => server.finish());

async function session(): Promise<RawSocket> {
  return openSession(server.port, { token: server.token('ana') });
}

/** A `ping` frame of exactly `size` bytes. */
function sized(size: number, pad = 'a'): string {
  const empty = '{"event":"ping","id":1,"data":{"pad":""}}';
  return empty.replace('""', `"${pad.repeat(size - empty.length)}"`);
}

function fragments(payload: string, size: number): Buffer[] {
  const count = Math.max(1, Math.ceil(payload.length / size));
  return Array.from({ length: count }, (_, index) =>
    frame({
      opcode: index === 0 ? OPCODE.text : OPCODE.continuation,
      fin: index === count - 1,
      payload: payload.slice(index * size, (index + 1) * size),
    }),
  );
}

describe('a legal message gets its reply', () => {
  const start = frame({ payload: PING_1.slice(0, 5), fin: false });
  const rest = frame({ opcode: OPCODE.continuation, payload: PING_1.slice(5) });
  it.each<{ name: string; bytes: readonly Uint8Array[] }>([
    { name: 'in one frame', bytes: [text(PING_1)] },
    { name: 'of 125 bytes', bytes: [text(sized(125))] },
    { name: 'of 126 bytes', bytes: [text(sized(126))] },
    { name: 'of 127 bytes', bytes: [text(sized(127))] },
    { name: 'of 65,535 bytes', bytes: [text(sized(MAX_BYTES - 1))] },
    { name: 'of 65,536 bytes, the bound', bytes: [text(sized(MAX_BYTES))] },
    // RFC 6455 §5.2 asks senders for the shortest form; a server loses nothing by reading the longer ones.
    { name: 'with a 16-bit length where 7 bits do', bytes: [frame({ payload: PING_1, lengthBits: 16 })] },
    { name: 'with a 64-bit length where 7 bits do', bytes: [frame({ payload: PING_1, lengthBits: 64 })] },
    { name: 'in two fragments', bytes: [start, rest] },
    { name: 'in fragments of 1 byte', bytes: fragments(PING_1, 1) },
    {
      name: 'in fragments, the first empty',
      bytes: [frame({ fin: false }), frame({ opcode: OPCODE.continuation, payload: PING_1 })],
    },
    {
      name: 'in fragments, the last empty',
      bytes: [frame({ fin: false, payload: PING_1 }), frame({ opcode: OPCODE.continuation })],
    },
    { name: 'in fragments that make the bound', bytes: fragments(sized(MAX_BYTES), 4096) },
    {
      name: 'with a pong between its fragments',
      bytes: [start, frame({ opcode: OPCODE.pong, payload: 'x' }), rest],
    },
    {
      name: 'after an unsolicited pong',
      bytes: [frame({ opcode: OPCODE.pong, payload: 'unasked' }), text(PING_1)],
    },
    { name: 'after an empty unsolicited pong', bytes: [frame({ opcode: OPCODE.pong }), text(PING_1)] },
  ])('$name', async ({ bytes }) => {
    const raw = await session();
    raw.write(...bytes);
    expect((await raw.reply(1)).event).toBe('ok');
    expect(raw.isOpen).toBe(true);
  });

  it('with a mask of zeros', async () => {
    const raw = await session();
    const payload = Buffer.from(PING_1);
    raw.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
    expect((await raw.reply(1)).event).toBe('ok');
  });

  it('sent byte by byte', async () => {
    const raw = await session();
    await raw.trickle(text(PING_1));
    expect((await raw.reply(1)).event).toBe('ok');
  });

  it('of fragments, each byte in its own segment', async () => {
    const raw = await session();
    await raw.trickle(Buffer.concat([start, frame({ opcode: OPCODE.ping }), rest]));
    expect((await raw.reply(1)).event).toBe('ok');
  });

  it('cut in the middle of its extended length', async () => {
    const raw = await session();
    const bytes = text(sized(300));
    raw.write(bytes.subarray(0, 3));
    await raw.trickle(bytes.subarray(3, 10));
    raw.write(bytes.subarray(10));
    expect((await raw.reply(1)).event).toBe('ok');
  });

  it('and so does the next one in the same segment', async () => {
    const raw = await session();
    raw.write(text(PING_1), text('{"event":"ping","id":2}'));
    expect((await raw.next()).id).toBe(1);
    expect((await raw.next()).id).toBe(2);
  });

  it('and one that ends in the segment where the next begins', async () => {
    const raw = await session();
    const bytes = Buffer.concat([text(PING_1), text('{"event":"ping","id":2}')]);
    raw.write(bytes.subarray(0, 40));
    expect((await raw.next()).id).toBe(1);
    raw.write(bytes.subarray(40));
    expect((await raw.next()).id).toBe(2);
  });
});

describe('a ping', () => {
  it.each([
    ['without a payload', Buffer.alloc(0)],
    ['of 1 byte', Buffer.from([0])],
    ['of bytes that are not UTF-8', Buffer.from([0xff, 0x00, 0x80, 0xfe])],
    ['of 125 bytes', Buffer.alloc(125, 0xa5)],
  ])('%s gets a pong with the same payload', async (_name, payload) => {
    const raw = await session();
    raw.write(frame({ opcode: OPCODE.ping, payload }));
    expect((await raw.nextFrame(OPCODE.pong)).payload).toEqual(payload);
  });

  it('between two fragments is answered before the message ends', async () => {
    const raw = await session();
    raw.write(
      frame({ payload: PING_1.slice(0, 5), fin: false }),
      frame({ opcode: OPCODE.ping, payload: 'mid' }),
    );
    expect((await raw.nextFrame(OPCODE.pong)).payload.toString()).toBe('mid');
    raw.write(frame({ opcode: OPCODE.continuation, payload: PING_1.slice(5) }));
    expect((await raw.reply(1)).event).toBe('ok');
  });

  it('is answered in order, ten at once', async () => {
    const raw = await session();
    raw.write(
      ...Array.from({ length: 10 }, (_, index) => frame({ opcode: OPCODE.ping, payload: `${index}` })),
    );
    for (let index = 0; index < 10; index++) {
      expect((await raw.nextFrame(OPCODE.pong)).payload.toString()).toBe(`${index}`);
    }
  });
});

describe('a frame against the protocol', () => {
  interface Violation {
    readonly name: string;
    readonly bytes: readonly Uint8Array[];
    readonly code: number;
  }
  const reserved = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
  const begun = frame({ payload: '{"event":', fin: false });
  const rows: readonly Violation[] = [
    { name: 'RSV1 on text', bytes: [frame({ payload: PING_1, rsv: 4 })], code: 1002 },
    { name: 'RSV2 on text', bytes: [frame({ payload: PING_1, rsv: 2 })], code: 1002 },
    { name: 'RSV3 on text', bytes: [frame({ payload: PING_1, rsv: 1 })], code: 1002 },
    { name: 'all RSV bits on text', bytes: [frame({ payload: PING_1, rsv: 7 })], code: 1002 },
    { name: 'RSV1 on a ping', bytes: [frame({ opcode: OPCODE.ping, rsv: 4 })], code: 1002 },
    { name: 'RSV3 on a close', bytes: [frame({ opcode: OPCODE.close, rsv: 1 })], code: 1002 },
    {
      name: 'RSV1 on a continuation',
      bytes: [begun, frame({ opcode: OPCODE.continuation, rsv: 4 })],
      code: 1002,
    },
    ...reserved.map((opcode) => ({
      name: `opcode ${opcode}`,
      bytes: [frame({ opcode, payload: 'x' })],
      code: 1002,
    })),
    ...reserved.map((opcode) => ({
      name: `opcode ${opcode}, empty`,
      bytes: [frame({ opcode })],
      code: 1002,
    })),
    { name: 'opcode 3 between fragments', bytes: [begun, frame({ opcode: 3 })], code: 1002 },
    { name: 'unmasked text', bytes: [frame({ payload: PING_1, masked: false })], code: 1002 },
    { name: 'empty unmasked text', bytes: [frame({ masked: false })], code: 1002 },
    { name: 'an unmasked ping', bytes: [frame({ opcode: OPCODE.ping, masked: false })], code: 1002 },
    { name: 'an unmasked close', bytes: [frame({ opcode: OPCODE.close, masked: false })], code: 1002 },
    {
      name: 'an unmasked continuation',
      bytes: [begun, frame({ opcode: OPCODE.continuation, masked: false })],
      code: 1002,
    },
    {
      name: 'a ping of 126 bytes',
      bytes: [frame({ opcode: OPCODE.ping, payload: 'a'.repeat(126) })],
      code: 1002,
    },
    {
      name: 'a pong of 126 bytes',
      bytes: [frame({ opcode: OPCODE.pong, payload: 'a'.repeat(126) })],
      code: 1002,
    },
    {
      name: 'a ping of 70,000 bytes',
      bytes: [frame({ opcode: OPCODE.ping, payload: 'a'.repeat(70_000) })],
      code: 1002,
    },
    {
      name: 'a ping with a 16-bit length',
      bytes: [frame({ opcode: OPCODE.ping, payload: 'a', lengthBits: 16 })],
      code: 1002,
    },
    { name: 'a fragmented ping', bytes: [frame({ opcode: OPCODE.ping, fin: false })], code: 1002 },
    { name: 'a fragmented pong', bytes: [frame({ opcode: OPCODE.pong, fin: false })], code: 1002 },
    { name: 'a fragmented close', bytes: [frame({ opcode: OPCODE.close, fin: false })], code: 1002 },
    {
      name: 'a continuation of nothing',
      bytes: [frame({ opcode: OPCODE.continuation, payload: PING_1 })],
      code: 1002,
    },
    {
      name: 'an open continuation of nothing',
      bytes: [frame({ opcode: OPCODE.continuation, fin: false })],
      code: 1002,
    },
    {
      name: 'a continuation after the end',
      bytes: [...fragments(PING_1, 10), frame({ opcode: OPCODE.continuation })],
      code: 1002,
    },
    { name: 'a new text inside a fragmented one', bytes: [begun, text(PING_1)], code: 1002 },
    {
      name: 'a new binary inside a fragmented text',
      bytes: [begun, frame({ opcode: OPCODE.binary })],
      code: 1002,
    },
    { name: 'a new fragmented text inside one', bytes: [begun, begun], code: 1002 },
    {
      name: 'a good frame and then an unmasked one',
      bytes: [text(PING_1), frame({ masked: false })],
      code: 1002,
    },
    // Only the header is sent: the bound must hold before a byte of the payload is waited for.
    {
      name: 'a header that claims 65,537 bytes',
      bytes: [frame({ claim: BigInt(MAX_BYTES + 1) })],
      code: 1009,
    },
    { name: 'a header that claims 4 GiB', bytes: [frame({ claim: 2n ** 32n })], code: 1009 },
    { name: 'a header that claims 2^53 bytes', bytes: [frame({ claim: 2n ** 53n })], code: 1009 },
    { name: 'a header that claims 2^63 - 1 bytes', bytes: [frame({ claim: 2n ** 63n - 1n })], code: 1009 },
    {
      name: 'a binary header that claims 1 GiB',
      bytes: [frame({ opcode: OPCODE.binary, claim: 2n ** 30n })],
      code: 1009,
    },
    { name: 'a whole message of 65,537 bytes', bytes: [text(sized(MAX_BYTES + 1))], code: 1009 },
    { name: 'a whole message of 1 MB', bytes: [text(sized(1_000_000))], code: 1009 },
    { name: 'two fragments over the bound', bytes: fragments(sized(80_000), 40_000), code: 1009 },
    {
      name: 'open fragments over the bound',
      bytes: fragments(sized(100_000), 10_000).slice(0, 8),
      code: 1009,
    },
    {
      name: 'a fragment whose header goes over',
      bytes: [begun, frame({ opcode: OPCODE.continuation, claim: 65_536n })],
      code: 1009,
    },
  ];
  it.each(rows)('$name closes $code', async ({ bytes, code }) => {
    const raw = await session();
    raw.write(...bytes);
    expect(await raw.waitForClose()).toMatchObject({ code });
  });

  it('with the top bit of a 64-bit length set closes 1002 or 1009', async () => {
    const raw = await session();
    raw.write(frame({ claim: 2n ** 64n - 1n }));
    expect([1002, 1009]).toContain((await raw.waitForClose()).code);
  });

  it('in 10,000 fragments of 1 byte closes 1008, long before the bound in bytes', async () => {
    const raw = await session();
    raw.write(...fragments(sized(10_000), 1));
    expect((await raw.waitForClose()).code).toBe(1008);
  });

  it('in 10,000 empty fragments closes 1008', async () => {
    const raw = await session();
    raw.write(
      frame({ fin: false }),
      ...Array.from({ length: 10_000 }, () => frame({ opcode: OPCODE.continuation, fin: false })),
    );
    expect((await raw.waitForClose()).code).toBe(1008);
  });

  it('of a stranger closes as well', async () => {
    const raw = await openSession(server.port);
    raw.write(frame({ opcode: 3 }));
    expect((await raw.waitForClose()).code).toBe(1002);
  });

  it('in the segment of the request closes, and what follows it is not done', async () => {
    const raw = await RawSocket.open(server.port);
    raw.write(upgradeRequest(server.port), frame({ payload: PING_1, masked: false }), text(PING_1));
    expect((await raw.httpReply()).status).toBe(101);
    expect((await raw.waitForClose()).code).toBe(1002);
    const events = raw.frames
      .filter((one) => one.opcode === OPCODE.text)
      .map((one) => one.payload.toString());
    expect(events.filter((event) => !event.startsWith('{"event":"welcome"'))).toEqual([]);
  });
});
