// Contract of content: names and payloads come out as they went in, whatever a line or an address would make of them.

import { describe, expect, it } from 'vitest';
import { BACKEND } from '../../src/core/identity.js';
import { ROOM_BYTES, type TransportBench } from './transport-bench.js';

const HOSTILE: readonly string[] = [
  'plain',
  '',
  'two\nlines',
  'carriage\rreturn',
  'both\r\n\r\nof them',
  '\n\ndata: injected\n\nevent: close\ndata: {}\n\n',
  'id: 1\rid: 2',
  ': a comment',
  'retry: 1',
  'nul \0 in it',
  'line \u2028 and paragraph \u2029 separators',
  'next line \u0085 and vertical tab \u000b and form feed \f',
  'emoji 😀👩‍👩‍👧 and accents é e\u0301',
  'half a pair \ud800 and the other \udc00',
  'bom \ufeff at the start',
  '\ufeffbom',
  'right to left \u202e and back \u202c',
  '</script><!-- <img src=x onerror=alert(1)>',
  '"quotes" and \\ backslashes \\u0041',
];

/** JSON text as a careless or hostile publisher may write it; each must come out as the same value. */
const RAW: readonly string[] = [
  '{\n  "pretty": [1,\n 2],\r\n"and":\r"odd"\n}',
  '\t[ ]',
  '{"__proto__":{"polluted":true},"constructor":1}',
  '{"twice":1,"twice":2}',
  '12345678901234567890',
  '1e400',
  '-0',
  '"\\ud83d\\ude00 \\u0000 \\u2028"',
  'null',
  'false',
];

const NAMES: readonly string[] = [
  "room:!~%'()",
  'room:%41%2F%00',
  'room:a&channel=b',
  'room:a=b;c,d+e',
  'room:#fragment?query',
  'room:../../etc',
  'room:data',
  'room:<b>bold</b>',
  'room:ünïcode-漢字-😀',
  'room:__proto__',
  `room:${'x'.repeat(190)}`,
];

const EVENTS: readonly string[] = [
  'ready',
  'close',
  'gap',
  'message',
  'error',
  '__proto__',
  'a:b',
  'é😀',
  'x'.repeat(64),
];

export function payloadContract(bench: () => TransportBench): void {
  describe('content', () => {
    it('payloads that would break a line come out the same', async () => {
      const channel = bench().channel();
      const reader = await bench().open(channel);
      for (const text of HOSTILE) await bench().publish(channel, { text, [text]: [text] });
      const payloads = await reader.payloads(HOSTILE.length);
      expect(payloads).toEqual(HOSTILE.map((text) => ({ text, [text]: [text] })));
    });

    it('raw JSON text comes out as the same value', async () => {
      const channel = bench().channel();
      const reader = await bench().open(channel);
      for (const data of RAW) {
        const rest = { key: undefined, idempotencyKey: undefined, except: undefined, identity: BACKEND };
        await bench().server.realtime.publishRaw({ channel, event: 'tick', data, ...rest });
      }
      const payloads = await reader.payloads(RAW.length);
      expect(payloads.map((value) => JSON.stringify(value))).toEqual(
        RAW.map((text) => JSON.stringify(JSON.parse(text))),
      );
    });

    it('the same holds for what a resume brings', async () => {
      const channel = bench().channel();
      const first = await bench().open(channel);
      const cursor = first.cursor();
      first.cut();
      for (const text of HOSTILE) await bench().publish(channel, text);
      const reader = await bench().open(channel, { cursor });
      expect(await reader.payloads(HOSTILE.length)).toEqual(HOSTILE);
    });

    it('a payload of 60 kB comes out whole, live and in a resume', async () => {
      const channel = bench().channel();
      const reader = await bench().open(channel);
      const cursor = reader.cursor();
      const large = '😀\n'.repeat(Math.floor(60_000 / 6));
      expect(Buffer.byteLength(JSON.stringify(large))).toBeLessThan(ROOM_BYTES);
      await bench().publish(channel, large, 'small');
      expect(await reader.payloads(2)).toEqual([large, 'small']);
      const back = await bench().open(channel, { cursor });
      expect(await back.payloads(2)).toEqual([large, 'small']);
    });

    it.each(NAMES)('the channel %s is read, told and resumed by its name', async (channel) => {
      const reader = await bench().open([channel, bench().channel()]);
      await bench().publish(channel, 'live');
      expect((await reader.next('message')).data).toMatchObject({ channel, data: 'live' });
      const cursor = reader.cursor();
      reader.cut();
      await bench().publish(channel, 'missed');
      const back = await bench().open(channel, { cursor });
      expect(back.begun.get(channel)).toMatchObject({ channel, recovered: true });
      expect(await back.payloads(1)).toEqual(['missed']);
    });

    it('events of the application keep their names, also those that are names of the protocol', async () => {
      const channel = bench().channel();
      const reader = await bench().open(channel);
      for (const event of EVENTS) await bench().server.realtime.publish(channel, event, event);
      await reader.payloads(EVENTS.length);
      expect(reader.messages(channel).map(({ event }) => event)).toEqual(EVENTS);
      expect(reader.isOpen).toBe(true);
    });

    it('users and keys keep their names', async () => {
      const channel = bench().channel();
      const reader = await bench().open(channel);
      const [user, key] = ['<ünï> 😀 & co; a=b', 'key: with, signs 😀'];
      const writer = await bench().server.join(user, { claims: { name: 'data: <i>x</i>' } });
      await writer.publish(channel, 1, { key });
      expect((await reader.next('message')).data).toMatchObject({
        key,
        from: { user, name: 'data: <i>x</i>' },
      });
    });
  });
}
