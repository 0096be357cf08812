// UTF-8 in text messages and the closing handshake of RFC 6455, frame by frame. Knows of channels only what shows that a frame was not obeyed.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  close,
  frame,
  openSession,
  OPCODE,
  startSuiteServer,
  text,
  type RawSocket,
  type SuiteServer,
} from '../support/raw-socket.js';

const ROOM = {
  channel: 'room:{name}',
  subscribe: 'authenticated',
  publish: 'authenticated',
  history: { size: 10, ttl: '1m' },
};

let server: SuiteServer;
beforeAll(async () => {
  server = await startSuiteServer([ROOM]);
});
afterEach(async () => server.settle());
afterAll(async () => server.finish());

async function session(): Promise<RawSocket> {
  return openSession(server.port, { token: server.token('ana') });
}

/** A ping frame whose padding holds these bytes. */
function around(bytes: readonly number[]): Buffer {
  return Buffer.concat([
    Buffer.from('{"event":"ping","id":1,"data":{"pad":"'),
    Buffer.from(bytes),
    Buffer.from('"}}'),
  ]);
}

function inTwo(payload: Uint8Array, at: number): Buffer {
  const first = frame({ payload: payload.subarray(0, at), fin: false });
  return Buffer.concat([first, frame({ opcode: OPCODE.continuation, payload: payload.subarray(at) })]);
}

const BAD_UTF8: Readonly<Record<string, readonly number[]>> = {
  'a lone continuation byte': [0x80],
  'the byte 0xfe': [0xfe],
  'the byte 0xff': [0xff],
  'a two-byte start without its second': [0xc3],
  'a three-byte start without its third': [0xe2, 0x82],
  'a four-byte start without its fourth': [0xf0, 0x9f, 0x98],
  'an overlong slash in two bytes': [0xc0, 0xaf],
  'an overlong NUL in two bytes': [0xc0, 0x80],
  'an overlong slash in three bytes': [0xe0, 0x80, 0xaf],
  'an overlong slash in four bytes': [0xf0, 0x80, 0x80, 0xaf],
  'an overlong quote': [0xc0, 0xa2],
  'a high surrogate': [0xed, 0xa0, 0x80],
  'a low surrogate': [0xed, 0xbf, 0xbf],
  'a pair of surrogates': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'a value over U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a five-byte form': [0xf8, 0x88, 0x80, 0x80, 0x80],
};
const GOOD_UTF8: Readonly<Record<string, string>> = {
  'two bytes': 'é',
  'three bytes': '€',
  'four bytes': '😀',
  'U+10FFFF': '\u{10ffff}',
  'U+FFFF, a noncharacter': '\uffff',
  'U+FEFF': '\ufeff',
};

describe('text', () => {
  it.each(Object.keys(BAD_UTF8))('with %s closes 1007', async (name) => {
    const raw = await session();
    raw.write(text(around(BAD_UTF8[name] ?? [])));
    expect((await raw.waitForClose()).code).toBe(1007);
  });

  it.each(Object.keys(BAD_UTF8))('with %s after the cut between two fragments closes 1007', async (name) => {
    const raw = await session();
    raw.write(inTwo(around(BAD_UTF8[name] ?? []), 39));
    expect((await raw.waitForClose()).code).toBe(1007);
  });

  it('that ends inside a character closes 1007', async () => {
    const raw = await session();
    raw.write(text(Buffer.from([0xe2, 0x82])));
    expect((await raw.waitForClose()).code).toBe(1007);
  });

  it.each(Object.keys(GOOD_UTF8))('with %s is read', async (name) => {
    const raw = await session();
    raw.write(text(around([...Buffer.from(GOOD_UTF8[name] ?? '')])));
    expect((await raw.reply(1)).event).toBe('ok');
  });

  it.each([39, 40, 41])('with a character cut between fragments at byte %i is read', async (at) => {
    const raw = await session();
    raw.write(inTwo(around([...Buffer.from('😀')]), at));
    expect((await raw.reply(1)).event).toBe('ok');
  });

  it('of no length is an invalid_frame, not a closed connection', async () => {
    const raw = await session();
    raw.write(text(''));
    expect((await raw.next()).data['code']).toBe('invalid_frame');
    expect((await raw.request('ping')).event).toBe('ok');
  });
});

describe('a close frame', () => {
  const valid = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ];
  it.each(valid)('with code %i is answered with the same code', async (code) => {
    const raw = await session();
    raw.write(close(code));
    expect(await raw.waitForClose()).toMatchObject({ code, error: undefined });
  });

  it.each([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])(
    'with code %i closes 1002',
    async (code) => {
      const raw = await session();
      raw.write(close(code));
      expect((await raw.waitForClose()).code).toBe(1002);
    },
  );

  it('without a code is answered without one, or with 1000', async () => {
    const raw = await session();
    raw.write(close());
    await raw.nextFrame(OPCODE.close);
    expect([undefined, 1000]).toContain((await raw.waitForClose()).code);
  });

  it.each([
    ['an empty reason', ''],
    ['a reason of 123 bytes', 'r'.repeat(123)],
    ['a reason beyond ASCII', 'tschüß 😀'],
    ['a reason with control characters', 'a\r\nb\0'],
    ['__proto__ as its reason', '__proto__'],
  ])('with %s is answered', async (_name, reason) => {
    const raw = await session();
    raw.write(close(1000, reason));
    expect((await raw.waitForClose()).code).toBe(1000);
  });

  it('with a body of 1 byte closes 1002', async () => {
    const raw = await session();
    raw.write(frame({ opcode: OPCODE.close, payload: 'x' }));
    expect((await raw.waitForClose()).code).toBe(1002);
  });

  it('with a reason of 124 bytes closes 1002', async () => {
    const raw = await session();
    raw.write(close(1000, 'r'.repeat(124)));
    expect((await raw.waitForClose()).code).toBe(1002);
  });

  it.each([
    ['0xff', [0xff]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['half a character', [0xe2, 0x82]],
  ])('with %s in its reason closes 1007', async (_name, bytes) => {
    const raw = await session();
    raw.write(close(1000, Buffer.from(bytes)));
    expect((await raw.waitForClose()).code).toBe(1007);
  });

  it('between two fragments is obeyed, and the message is never handled', async () => {
    const raw = await session();
    raw.write(
      frame({ payload: '{"event":"ping","id":1}', fin: false }),
      close(1000),
      frame({ opcode: OPCODE.continuation }),
    );
    expect((await raw.waitForClose()).code).toBe(1000);
    expect(raw.frames.map((one) => one.opcode)).toEqual([OPCODE.close]);
  });

  it('ends obedience: what follows in the same segment is not done', async () => {
    const raw = await session();
    const publish = text('{"event":"publish","id":1,"data":{"channel":"room:after","event":"e","data":1}}');
    raw.write(close(1000), publish, frame({ opcode: OPCODE.ping }), close(1000));
    expect((await raw.waitForClose()).code).toBe(1000);
    const other = await session();
    expect((await other.request('history', { channel: 'room:after' })).data['messages']).toEqual([]);
  });

  it('lets what was sent before it be done', async () => {
    const raw = await session();
    const publish = text('{"event":"publish","id":1,"data":{"channel":"room:before","event":"e","data":1}}');
    raw.write(publish, close(1000));
    expect((await raw.waitForClose()).code).toBe(1000);
    const other = await session();
    const history = async (): Promise<unknown> =>
      (await other.request('history', { channel: 'room:before' })).data['messages'];
    await expect.poll(history, { timeout: 5000 }).toMatchObject([{ event: 'e', data: 1 }]);
  });
});
