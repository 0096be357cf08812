// The outer shape of our own frames: what is no frame, what is no id, what is no event, and what ten of them cost. Knows no channel rules.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
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
const PROTO_NAMES = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'valueOf',
  'prototype',
  '__defineGetter__',
];

let server: SuiteServer;
beforeAll(async () => {
  server = await startSuiteServer([ROOM]);
});
afterEach(async () => server.settle());
afterAll(async () => server.finish());

async function session(): Promise<RawSocket> {
  return openSession(server.port, { token: server.token('ana') });
}

/** The answer to one frame, and proof that the session goes on. */
async function answerTo(bytes: string | Uint8Array): Promise<unknown> {
  const raw = await session();
  raw.write(typeof bytes === 'string' ? text(bytes) : bytes);
  const { event, id, data } = await raw.next();
  expect((await raw.request('ping')).event).toBe('ok');
  expect(raw.frames).toEqual([]);
  return { event, id, code: data['code'], retry: data['retry'], message: typeof data['message'] };
}

function invalidFrame(id?: unknown): object {
  return { event: 'error', id, code: 'invalid_frame', retry: false, message: 'string' };
}

describe('text that is no frame is answered invalid_frame:', () => {
  it.each([
    '{',
    '}',
    'x',
    ' ',
    '\0',
    'ping',
    '{"event":"ping"',
    '{"event":"ping"}}',
    '{"event":"ping"}{"event":"ping"}',
    '{"event":"ping",}',
    "{'event':'ping'}",
    '{event:"ping"}',
    '{"event":"ping"}//',
    '/**/{"event":"ping"}',
    '\ufeff{"event":"ping"}',
    '{"event":"ping","data":{"a":NaN}}',
    '{"event":"ping","data":{"a":01}}',
    '{"event":"ping","data":{"a":+1}}',
    '{"event":"ping","data":{"a":.5}}',
    '{"event":"ping","data":{"a":"\\x41"}}',
    '{"event":"ping","data":{"a":"\\u00g0"}}',
    '{"event":"ping","data":{"a":"line\nfeed"}}',
    '{"event":"ping","data":{"a":"open}}',
    '{"event":"ping","data":{"a":"open\\',
    '{"event":"ping","data":{"a":"open\\"}}',
    '[]',
    '[{"event":"ping"}]',
    '["ping",{}]',
    'null',
    'true',
    '0',
    '1e999',
    '"ping"',
    '42["message","hello"]',
  ])('%j', async (raw) => {
    expect(await answerTo(raw)).toEqual(invalidFrame());
  });
});

describe('a frame with a wrong part is answered invalid_frame:', () => {
  it.each([
    '{}',
    '{"id":1}',
    '{"data":{}}',
    '{"Event":"ping"}',
    '{"event":null}',
    '{"event":1}',
    '{"event":true}',
    '{"event":[]}',
    '{"event":["ping"]}',
    '{"event":{}}',
    '{"event":""}',
    '{"event":" "}',
    '{"event":"pi ng"}',
    '{"event":"ping\\u0000"}',
    '{"event":"ping\\n"}',
    '{"event":"ping\\u202e"}',
    '{"event":"ping\\ud800"}',
    '{"event":"pi\\"ng"}',
    `{"event":"${'e'.repeat(65)}"}`,
    '{"event":"ping","data":null}',
    '{"event":"ping","data":[]}',
    '{"event":"ping","data":"x"}',
    '{"event":"ping","data":1}',
    '{"event":"ping","data":false}',
    '{"__proto__":{"event":"ping"}}',
    '{"constructor":{"prototype":{"event":"ping"}}}',
  ])('%s, and the id comes back when there is one', async (raw) => {
    expect(await answerTo(raw)).toEqual(invalidFrame(raw.includes('"id":1') ? 1 : undefined));
    const withId = raw.replace('{', raw === '{}' ? '{"id":7' : '{"id":7,').replace('"id":1', '"x":1');
    expect(await answerTo(withId)).toEqual(invalidFrame(7));
  });
});

describe('an id', () => {
  it.each([
    '1',
    '0',
    '-1',
    '9007199254740991',
    '-9007199254740991',
    '"a"',
    `"${'i'.repeat(64)}"`,
    '"\\u0000\\n\\u2028\\"\\\\"',
    '"😀"',
    '" "',
    '"1"',
    ...PROTO_NAMES.map((name) => `"${name}"`),
  ])('%s comes back as it was', async (id) => {
    expect(await answerTo(`{"event":"ping","id":${id}}`)).toMatchObject({
      event: 'ok',
      id: JSON.parse(id) as unknown,
    });
    const error = { event: 'error', id: JSON.parse(id) as unknown, code: 'unknown_event' };
    expect(await answerTo(`{"event":"nope","id":${id}}`)).toMatchObject(error);
  });

  it.each([
    'null',
    'true',
    '{}',
    '[]',
    '[1]',
    '{"toString":1}',
    '""',
    `"${'i'.repeat(65)}"`,
    '1.5',
    '9007199254740992',
    '-9007199254740992',
    '1e400',
    '123456789012345678901234567890',
  ])('%s is none: the frame is answered invalid_frame without an id', async (id) => {
    expect(await answerTo(`{"event":"ping","id":${id}}`)).toEqual(invalidFrame());
  });

  it('that is missing gets a reply without one', async () => {
    expect(await answerTo('{"event":"ping"}')).toMatchObject({ event: 'ok', id: undefined });
  });

  it('may be used again at once', async () => {
    const raw = await session();
    raw.write(text('{"event":"ping","id":1}'), text('{"event":"ping","id":1}'));
    expect((await raw.reply(1)).event).toBe('ok');
    expect((await raw.reply(1)).event).toBe('ok');
  });
});

describe('an event nobody handles is answered unknown_event:', () => {
  const serverEvents = [
    'ok',
    'error',
    'welcome',
    'join',
    'leave',
    'gap',
    'subscribed',
    'unsubscribed',
    'expiring',
    'reconnect',
  ];
  it.each(['nope', 'PING', 'e'.repeat(64), 'événement', ...serverEvents, ...PROTO_NAMES])(
    '%s',
    async (event) => {
      const answer = { event: 'error', code: 'unknown_event', retry: false, message: 'string' };
      expect(await answerTo(`{"event":"${event}","id":1,"data":{}}`)).toEqual({ ...answer, id: 1 });
      expect(await answerTo(`{"event":"${event}"}`)).toEqual({ ...answer, id: undefined });
    },
  );
});

describe('a binary message is answered invalid_frame:', () => {
  it.each([
    ['empty', ''],
    ['a frame of ours', '{"event":"ping","id":1}'],
    ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe, 0])],
  ])('%s', async (_name, payload) => {
    expect(await answerTo(frame({ opcode: OPCODE.binary, payload }))).toEqual(invalidFrame());
  });

  it('also in fragments', async () => {
    const first = frame({ opcode: OPCODE.binary, payload: 'a', fin: false });
    const last = frame({ opcode: OPCODE.continuation, payload: 'b' });
    expect(await answerTo(Buffer.concat([first, last]))).toEqual(invalidFrame());
  });
});

describe('depth', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
  const objects = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
  // The frame and its data are two levels.
  it.each([
    ['arrays', nested(30)],
    ['objects', objects(30)],
  ])('of 32 levels of %s is taken', async (_name, value) => {
    expect(await answerTo(`{"event":"ping","id":1,"data":{"a":${value}}}`)).toMatchObject({
      event: 'ok',
      id: 1,
    });
  });

  it.each([
    ['33 levels of arrays', `{"event":"ping","data":{"a":${nested(31)}}}`],
    ['33 levels of objects', `{"event":"ping","data":{"a":${objects(31)}}}`],
    [
      '10,000 levels of arrays in a payload',
      `{"event":"publish","data":{"channel":"room:a","event":"e","data":${nested(10_000)}}}`,
    ],
    ['10,000 levels of objects', `{"event":"ping","data":${objects(10_000)}}`],
    ['10,000 levels in the id', `{"event":"ping","id":${nested(10_000)}}`],
    ['10,000 levels in the event', `{"event":${nested(10_000)}}`],
    ['10,000 levels in an unknown field', `{"event":"ping","x":${nested(10_000)}}`],
    ['10,000 levels under __proto__', `{"event":"ping","__proto__":${objects(10_000)}}`],
    ['30,000 levels of arrays and no frame', nested(30_000)],
    ['60,000 arrays that never end', '['.repeat(60_000)],
    ['10,000 objects that never end', '{"a":'.repeat(10_000)],
    ['60,000 ends without a start', ']'.repeat(60_000)],
  ])('of %s is answered invalid_frame', async (_name, raw) => {
    expect(await answerTo(raw)).toEqual(invalidFrame());
  });

  it('is not counted inside strings', async () => {
    const raw = `{"event":"ping","id":1,"data":{"a":"${'[{'.repeat(5000)}","b\\"[[":"\\\\","c":"\\"${'['.repeat(100)}"}}`;
    expect(await answerTo(raw)).toMatchObject({ event: 'ok', id: 1 });
  });

  it('is not breadth: 10,000 arrays side by side are taken', async () => {
    const raw = `{"event":"ping","id":1,"data":{"a":[${'[],'.repeat(9999)}[]]}}`;
    expect(await answerTo(raw)).toMatchObject({ event: 'ok', id: 1 });
  });
});

describe('malformed frames in a row', () => {
  const bad = text('{');
  const times = (count: number, one: Uint8Array): Uint8Array[] => Array.from({ length: count }, () => one);

  it.each([
    ['not JSON', bad],
    ['binary', frame({ opcode: OPCODE.binary, payload: 'x' })],
    ['empty', text('')],
    ['too deep', text('['.repeat(100))],
    ['without an event', text('{"id":1}')],
  ])('are each answered, and the tenth closes 4004: %s', async (_name, one) => {
    const raw = await session();
    raw.write(...times(12, one));
    expect(await raw.waitForClose()).toMatchObject({ code: 4004, reason: 'protocol violation' });
    const answers = raw.frames.filter((answer) => answer.opcode === OPCODE.text);
    expect(answers).toHaveLength(10);
    for (const answer of answers) expect(answer.payload.toString()).toContain('"invalid_frame"');
  });

  it('close a stranger as well', async () => {
    const raw = await openSession(server.port);
    raw.write(...times(10, bad));
    expect((await raw.waitForClose()).code).toBe(4004);
  });

  it.each([
    ['a good frame', '{"event":"ping","id":"mid"}'],
    ['an unknown event', '{"event":"nope","id":"mid"}'],
    ['a refused request', '{"event":"unsubscribe","id":"mid","data":{"channel":"room:x"}}'],
  ])('are counted anew after %s', async (_name, between) => {
    const raw = await session();
    raw.write(...times(9, bad), text(between), ...times(9, bad), text('{"event":"ping","id":"end"}'));
    await raw.reply('mid');
    expect((await raw.reply('end')).event).toBe('ok');
    expect(raw.frames).toHaveLength(18);
    expect(raw.isOpen).toBe(true);
  });

  it('are not counted anew by a ping of the protocol below', async () => {
    const raw = await session();
    raw.write(...times(9, bad), frame({ opcode: OPCODE.ping }), bad);
    expect((await raw.waitForClose()).code).toBe(4004);
  });

  it('end obedience: a good frame behind the tenth is not done', async () => {
    const raw = await session();
    raw.write(
      ...times(10, bad),
      text('{"event":"publish","id":1,"data":{"channel":"room:late","event":"e","data":1}}'),
    );
    expect((await raw.waitForClose()).code).toBe(4004);
    const other = await session();
    expect((await other.request('history', { channel: 'room:late' })).data['messages']).toEqual([]);
  });
});
