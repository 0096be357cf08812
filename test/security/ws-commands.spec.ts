// The data of each command, wrong in one place at a time: types, channel names, positions. Knows nothing of permissions.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  openSession,
  startSuiteServer,
  type RawSocket,
  type SuiteServer,
  type WireFrame,
} from '../support/raw-socket.js';

const ROOM = {
  channel: 'room:{name}',
  subscribe: 'authenticated',
  publish: 'authenticated',
  presence: true,
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

function codeOf(reply: WireFrame): unknown {
  return reply.event === 'error' ? reply.data['code'] : reply.event;
}

/** Asks, and proves that the session goes on. */
async function ask(event: string, data: unknown): Promise<WireFrame> {
  const raw = await session();
  const reply = await raw.request(event, data);
  expect((await raw.request('ping')).event).toBe('ok');
  return reply;
}

const PUBLISH = { channel: 'room:a', event: 'e', data: 1 };
const WRONG_TYPES: Readonly<Record<string, readonly unknown[]>> = {
  text: [1, true, {}, [], ['room:a'], ''],
  flag: [1, 0, 'true', '', {}, []],
  position: [1, true, 'abc', '', [], {}],
};
const POSITIONS: readonly unknown[] = [
  { epoch: 'e', offset: -1 },
  { epoch: 'e', offset: 2 ** 53 },
  { epoch: 'e', offset: 'abc' },
  { epoch: 'e', offset: '1' },
  { epoch: 'e', offset: 1.5 },
  { epoch: 'e', offset: null },
  { epoch: 'e', offset: {} },
  { epoch: 'e' },
  { offset: 1 },
  { epoch: '', offset: 1 },
  { epoch: 1, offset: 1 },
  { epoch: null, offset: 1 },
  { epoch: 'e'.repeat(65), offset: 1 },
  { epoch: 'e f', offset: 1 },
  { epoch: '{e}', offset: 1 },
  { epoch: 'e\r\nDEL x', offset: 1 },
  { epoch: 'e', offset: 1, id: 1 },
  { epoch: 'e', offset: 1, id: {} },
  { epoch: 'e', offset: 1, id: 'i'.repeat(65) },
  { epoch: 'e', offset: 1, id: 'i"d' },
];
const BAD_KEYS: readonly unknown[] = [
  1,
  true,
  {},
  [],
  '',
  'k'.repeat(129),
  'a"b',
  'a\\b',
  'a\nb',
  'a\0b',
  'a\u202eb',
  '\ud800',
];

describe('data that is wrong in one field is answered invalid_data and names the field:', () => {
  interface Wrong {
    readonly event: string;
    readonly field: string;
    readonly values: readonly unknown[];
    readonly base: Record<string, unknown>;
  }
  const { text: texts = [], flag: flags = [], position: positions = [] } = WRONG_TYPES;
  const room = { channel: 'room:a' };
  const rows: readonly Wrong[] = [
    { event: 'subscribe', field: 'channel', values: [undefined, null, ...texts], base: {} },
    { event: 'subscribe', field: 'since', values: [...positions, ...POSITIONS], base: room },
    { event: 'subscribe', field: 'presence', values: flags, base: room },
    { event: 'unsubscribe', field: 'channel', values: [undefined, null, ...texts], base: {} },
    { event: 'publish', field: 'channel', values: [undefined, null, ...texts], base: PUBLISH },
    {
      event: 'publish',
      field: 'event',
      values: [undefined, null, ...texts, 'e'.repeat(65), 'a b', 'a"b', 'a\n'],
      base: PUBLISH,
    },
    { event: 'publish', field: 'key', values: BAD_KEYS, base: PUBLISH },
    { event: 'publish', field: 'idempotencyKey', values: BAD_KEYS, base: PUBLISH },
    { event: 'publish', field: 'echo', values: flags, base: PUBLISH },
    { event: 'history', field: 'channel', values: [undefined, null, ...texts], base: {} },
    { event: 'history', field: 'since', values: [...positions, ...POSITIONS], base: room },
    { event: 'history', field: 'limit', values: [0, 301, -1, 1.5, 2 ** 53, '10', true, {}, []], base: room },
    { event: 'history', field: 'reverse', values: flags, base: room },
    { event: 'presence', field: 'channel', values: [undefined, null, ...texts], base: {} },
    {
      event: 'authenticate',
      field: 'token',
      values: [undefined, null, 1, true, {}, [], '', 't'.repeat(8193)],
      base: {},
    },
  ];
  const cases = rows.flatMap(({ event, field, values, base }) =>
    values.map((value) => ({
      event,
      field,
      shown: JSON.stringify(value)?.slice(0, 40),
      data: { ...base, [field]: value },
    })),
  );

  it.each(cases)('$event.$field = $shown', async ({ event, field, data }) => {
    const reply = await ask(event, data);
    expect(reply).toMatchObject({
      event: 'error',
      data: { code: 'invalid_data', retry: false, message: expect.any(String) as unknown },
    });
    const details = reply.data['details'] as readonly { path: string; message: string }[];
    expect(details.map((one) => one.path)).toEqual([field]);
  });

  it('two wrong fields are both named', async () => {
    const details = (await ask('publish', { channel: 1, event: 2, data: 3 })).data['details'] as readonly {
      path: string;
    }[];
    expect(details.map((one) => one.path).toSorted()).toEqual(['channel', 'event']);
  });

  it('a field of the prototype is no field', async () => {
    const raw = await session();
    raw.send('{"event":"subscribe","id":1,"data":{"__proto__":{"channel":"room:a"}}}');
    expect(codeOf(await raw.reply(1))).toBe('invalid_data');
  });

  it('a frame without data has no fields', async () => {
    const raw = await session();
    raw.send('{"event":"subscribe","id":1}');
    expect(codeOf(await raw.reply(1))).toBe('invalid_data');
  });
});

describe('a channel name', () => {
  const BAD: Readonly<Record<string, string>> = {
    'a NUL': 'room:a\0',
    'a line feed': 'room:a\nb',
    'a carriage return': 'room:a\rb',
    DEL: 'room:a\x7f',
    'a C1 control': 'room:a\x85',
    'a right-to-left override': 'room:\u202ea',
    'a bidi isolate': 'room:\u2066a',
    'a zero-width space': 'room:a\u200bb',
    'a zero-width joiner': 'room:a\u200db',
    'a soft hyphen': 'room:a\u00adb',
    'a byte order mark': 'room:\ufeffa',
    'a space': 'room:a b',
    'a no-break space': 'room:a\u00a0b',
    'a line separator': 'room:a\u2028b',
    'an ideographic space': 'room:a\u3000b',
    'an opening brace': 'room:{a',
    'a Redis hash tag': 'room:{a}',
    'a star': 'room:*',
    'a quote': 'room:a"b',
    'a backslash': 'room:a\\b',
    'a half surrogate': 'room:\ud83d',
    'a private character': 'room:\ue000',
    '201 characters': `room:${'a'.repeat(196)}`,
    'only a star': '*',
  };
  const commands = ['subscribe', 'unsubscribe', 'publish', 'history', 'presence'];

  it.each(Object.keys(BAD))('with %s is answered invalid_data by every command', async (name) => {
    const raw = await session();
    for (const event of commands) {
      expect([event, codeOf(await raw.request(event, { ...PUBLISH, channel: BAD[name] }))]).toEqual([
        event,
        'invalid_data',
      ]);
    }
  });

  it.each([
    'room:ä',
    'room:日本',
    'room:😀',
    "room:a'b",
    'room:a/b?c=d#e',
    'room:%00',
    `room:${'a'.repeat(195)}`,
  ])('"%s" is taken', async (channel) => {
    expect((await ask('subscribe', { channel })).data['channel']).toBe(channel);
  });

  it.each([
    'nope',
    'nope:a',
    'room',
    'room:',
    ':a',
    'room:a:b',
    'Room:a',
    'room:a:',
    '__proto__',
    'constructor',
    '__proto__:a',
  ])(
    '"%s" that nothing matches is answered unknown_channel by every command that reaches for it',
    async (channel) => {
      const raw = await session();
      for (const event of ['subscribe', 'publish', 'history', 'presence']) {
        expect([event, codeOf(await raw.request(event, { ...PUBLISH, channel }))]).toEqual([
          event,
          'unknown_channel',
        ]);
      }
    },
  );
});

describe('a position', () => {
  const start = { epoch: 'other-epoch', offset: 0 };
  it.each([
    ['of another epoch', start],
    ['of another epoch with an id', { ...start, offset: 5, id: 'abc' }],
    ['far ahead', { ...start, offset: Number.MAX_SAFE_INTEGER }],
    ['with an epoch named __proto__', { epoch: '__proto__', offset: 0 }],
  ])('%s is answered recovered: false with a reason and no messages', async (_name, since) => {
    const raw = await session();
    await raw.request('publish', PUBLISH);
    const reply = await raw.request('subscribe', { channel: 'room:a', since });
    expect(reply).toMatchObject({
      event: 'ok',
      data: { recovered: false, reason: 'epoch_changed', messages: [] },
    });
  });

  it('ahead of the top of its own epoch is answered with reason ahead', async () => {
    const raw = await session();
    const { epoch, offset } = (await raw.request('publish', PUBLISH)).data;
    const since = { epoch, offset: (offset as number) + 1000 };
    const reply = await raw.request('subscribe', { channel: 'room:a', since });
    expect(reply.data).toMatchObject({ recovered: false, reason: 'ahead', messages: [] });
  });

  it('of another message at the same offset is answered with reason id_mismatch', async () => {
    const raw = await session();
    const { epoch, offset } = (await raw.request('publish', PUBLISH)).data;
    const reply = await raw.request('subscribe', {
      channel: 'room:a',
      since: { epoch, offset, id: 'AAAAAAAAAAA' },
    });
    expect(reply.data).toMatchObject({ recovered: false, reason: 'id_mismatch', messages: [] });
  });

  it.each([null, undefined])('of %s is none', async (since) => {
    expect(codeOf(await ask('subscribe', { channel: 'room:a', since }))).toBe('ok');
  });
});
