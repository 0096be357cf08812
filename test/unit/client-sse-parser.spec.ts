// The parser of event streams: the rules of WHATWG HTML §9.2.6, however the bytes are cut.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sseParser, type SseEvent } from '../../client/src/sse-parser.js';

function parse(pieces: readonly Uint8Array[], limit?: number): SseEvent[] {
  const events: SseEvent[] = [];
  const feed = sseParser((event) => events.push(event), limit);
  for (const piece of pieces) feed(piece);
  return events;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const whole = (text: string): SseEvent[] => parse([bytes(text)]);

/** Letter by letter from the standard, written another way: whole text in, line by line. */
function model(text: string): SseEvent[] {
  const events: SseEvent[] = [];
  let [event, data, id] = ['', '', ''];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  lines.pop();
  for (const line of lines) {
    if (line === '') {
      if (data !== '') events.push({ event: event === '' ? 'message' : event, data: data.slice(0, -1), id });
      [event, data] = ['', ''];
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (field === 'event') event = value;
    if (field === 'data') data += `${value}\n`;
    if (field === 'id' && !value.includes('\0')) id = value;
  }
  return events;
}

const piece = fc.oneof(
  fc.constantFrom(
    'data: ',
    'data:',
    'data',
    'id: ',
    'id',
    'event: ',
    'event:',
    ': ',
    ':',
    'retry: 5',
    ' ',
    'x',
    '\0',
    'é',
    '😀',
    '\uFEFF',
  ),
  fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\r', '\r\n\r\n'),
  fc.string({ maxLength: 5 }),
);
const stream = fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(''));

describe('the parser', () => {
  it('reads event, data and id', () => {
    expect(whole('id: 1\nevent: message\ndata: {"a":1}\n\n')).toEqual([
      { event: 'message', data: '{"a":1}', id: '1' },
    ]);
  });

  it('joins lines of data, takes one space away, and calls an event without a name `message`', () => {
    expect(whole('data: a\ndata:  b\ndata\ndata:c\n\n')).toEqual([
      { event: 'message', data: 'a\n b\n\nc', id: '' },
    ]);
  });

  it('keeps the last id, and none with NUL in it', () => {
    const events = whole('id: 7\ndata: a\n\nid: 8\0\ndata: b\n\nid\ndata: c\n\n');
    expect(events.map(({ id }) => id)).toEqual(['7', '7', '']);
  });

  it('makes no event of comments, of an unfinished event, or without data', () => {
    expect(whole(':\n\n: hello\n\nevent: x\n\nid: 3\n\nretry: 10\n\ndata: unfinished\n')).toEqual([]);
  });

  it('forgets the name of an event that had no data', () => {
    expect(whole('event: x\n\ndata: a\n\n')).toEqual([{ event: 'message', data: 'a', id: '' }]);
  });

  it('drops a byte order mark at the begin only', () => {
    expect(whole('\uFEFFdata: a\n\n\uFEFFdata: b\n\n')).toHaveLength(1);
  });

  it('gives the same events for any split of the bytes, and those of the standard', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(200), { maxLength: 20 }), (text, cuts) => {
        const all = bytes(text);
        const places = [...new Set(cuts.map((cut) => cut % (all.length + 1)))].sort((a, b) => a - b);
        const pieces = [0, ...places].map((from, at) => all.slice(from, places[at] ?? all.length));
        const expected = model(new TextDecoder('utf-8', { ignoreBOM: true }).decode(all));
        expect(parse(pieces)).toEqual(expected);
        expect(parse([...all].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses an event and a line that do not end', () => {
    const line = bytes('data: 0123456789\n');
    expect(() =>
      parse(
        Array.from({ length: 10 }, () => line),
        100,
      ),
    ).toThrow('too long');
    expect(() =>
      parse(
        Array.from({ length: 20 }, () => bytes('0123456789')),
        100,
      ),
    ).toThrow('too long');
    expect(
      parse(
        Array.from({ length: 100 }, () => bytes('data: 0123456789\n\n')),
        100,
      ),
    ).toHaveLength(100);
  });
});
