// docs/protocol.md against src/protocol: every name and figure is told, and every frame in it is one that the code reads or writes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { authOptions } from '../../src/auth/auth.options.js';
import { allowCors } from '../../src/auth/cors.js';
import { OriginPolicy } from '../../src/auth/origin.js';
import { coreOptions } from '../../src/core/core.options.js';
import { DEFAULT_MAX_BYTES } from '../../src/core/policy.js';
import { JOIN_BUFFER } from '../../src/core/subscription.js';
import { limitsOptions } from '../../src/limits/limits.options.js';
import { CLOSE, closeAdvice, ERRORS, isErrorCode, type CloseAdvice } from '../../src/protocol/codes.js';
import { MAX_CURSOR_LENGTH } from '../../src/protocol/cursor.js';
import {
  decodeFrame,
  MAX_DEPTH,
  MAX_FRAME_ID_LENGTH,
  MAX_TOKEN_LENGTH,
  RESERVED_EVENTS,
} from '../../src/protocol/decode.js';
import { encodeOk, encodePush } from '../../src/protocol/encode.js';
import { HISTORY_LIMIT, SUBPROTOCOL, type Push } from '../../src/protocol/frames.js';
import {
  MAX_CHANNEL_LENGTH,
  MAX_EVENT_LENGTH,
  MAX_KEY_LENGTH,
  MAX_USER_LENGTH,
} from '../../src/protocol/names.js';
import { isEpoch, isPublicationId } from '../../src/protocol/position.js';
import type {
  GapReason,
  HistoryResult,
  Publication,
  PublishResult,
  ResumeRefusal,
  SubscribeResult,
} from '../../src/protocol/publication.js';
import { pollingOptions } from '../../src/transports/polling/polling.options.js';
import { sseOptions } from '../../src/transports/sse/sse.options.js';
import { END_ID } from '../../src/transports/sse/sse.tokens.js';
import { wsOptions } from '../../src/transports/ws/ws.options.js';

const doc = readFileSync(fileURLToPath(new URL('../../docs/protocol.md', import.meta.url)), 'utf8');
const rows = doc.split('\n').filter((line) => line.startsWith('| '));
const cellsOf = (row: string): string[] =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
const comma = (figure: number): string => figure.toLocaleString('en-US');

/** One level-2 section, its title line left out. */
function section(title: string): string {
  const part = doc.split(/^## /m).find((text) => text.startsWith(`${title}\n`));
  if (part === undefined) throw new Error(`docs/protocol.md has no section "${title}".`);
  return part.slice(title.length);
}

function tableRow(title: string, firstCell: string): string[] {
  const found = section(title)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map(cellsOf)
    .filter(([first]) => first === firstCell);
  expect(found, `rows of ${firstCell} in "${title}"`).toHaveLength(1);
  return found[0] as string[];
}

// Records, so that the type check fails here when the protocol grows and this page does not.
const PUSHES: Record<Exclude<Push['type'], 'custom'>, true> = {
  welcome: true,
  message: true,
  join: true,
  leave: true,
  gap: true,
  subscribed: true,
  unsubscribed: true,
  expiring: true,
  reconnect: true,
};
const REFUSALS: Record<ResumeRefusal, true> = {
  epoch_changed: true,
  expired: true,
  ahead: true,
  id_mismatch: true,
  too_many: true,
};
const GAPS: Record<Exclude<GapReason, ResumeRefusal>, true> = { overflow: true, conflated: true, lost: true };

describe('docs/protocol.md tells', () => {
  it.each(Object.entries(ERRORS))(
    'the error code %s with its status and retry',
    (code, { status, retry }) => {
      expect(tableRow('Error codes', `\`${code}\``).slice(1, 3)).toEqual([String(status), String(retry)]);
    },
  );

  it('no error code that does not exist', () => {
    const told = section('Error codes').matchAll(/^\| `([a-z_]+)` \|/gm);
    for (const [, code] of told) expect(isErrorCode(code), code).toBe(true);
  });

  it.each(Object.values(CLOSE))('the close code $code with its reason and advice', ({ code, reason }) => {
    expect(tableRow('Close codes', String(code)).slice(1, 3)).toEqual([reason, closeAdvice(code)]);
  });

  it('no close code that does not exist', () => {
    const known = Object.values(CLOSE).map(({ code }) => code);
    const told = [...section('Close codes').matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => Number(code));
    expect(told).toEqual(known);
  });

  it('what each range of close codes asks for', () => {
    const ranges = section('Close codes').matchAll(/^\| (\d{4})–(\d{4}) \| \*\*([a-z]+)\*\*/gm);
    const told: [number, number, CloseAdvice][] = [...ranges].map(([, from, to, advice]) => [
      Number(from),
      Number(to),
      advice as CloseAdvice,
    ]);
    expect(told).toHaveLength(3);
    for (const [from, to, advice] of told) {
      expect([closeAdvice(from), closeAdvice(to)], `${from}–${to}`).toEqual([advice, advice]);
    }
    const [, stops = ''] = /^\| ([\d, ]+) \| \*\*stop\*\* \|$/m.exec(section('Close codes')) ?? [];
    const stopping = Array.from({ length: 1000 }, (_, i) => 1000 + i).filter(
      (code) => closeAdvice(code) === 'stop',
    );
    expect(stops.split(', ').map(Number)).toEqual(stopping);
    expect([closeAdvice(1005), closeAdvice(1006), closeAdvice(4999)]).toEqual([
      'backoff',
      'backoff',
      'backoff',
    ]);
  });

  it.each([...RESERVED_EVENTS])('the command %s in a section of its own', (command) => {
    expect(section('What a client sends')).toMatch(new RegExp(`^### \`${command}\`$`, 'm'));
  });

  it('no command that does not exist', () => {
    const told = [...section('What a client sends').matchAll(/^### `(\w+)`$/gm)].map(
      ([, name]) => name ?? '',
    );
    expect(told.toSorted()).toEqual([...RESERVED_EVENTS].toSorted());
  });

  it('every push, ok and error in sections of their own, and no others', () => {
    const titles = [...section('What the server sends').matchAll(/^### (.+)$/gm)].map(
      ([, title]) => title ?? '',
    );
    const told = titles.flatMap((title) => [...title.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''));
    expect(told.toSorted()).toEqual(['ok', 'error', ...Object.keys(PUSHES)].toSorted());
  });

  it.each(Object.keys(REFUSALS))('the reason %s of a refused resume', (reason) => {
    tableRow('Positions and resume', `\`${reason}\``);
  });

  it.each([...Object.keys(GAPS), ...Object.keys(REFUSALS)])('the reason %s of a gap', (reason) => {
    expect(section('Gaps')).toContain(`\`${reason}\``);
  });

  it('the figures of the code', () => {
    const core = coreOptions.parse({});
    const ws = wsOptions.parse({});
    const figures: [string, string][] = [
      ['bytes of one message from a client', comma(ws.maxMessageBytes)],
      ['fragments of one message', comma(ws.maxFragments)],
      ['levels of nesting in a frame', comma(MAX_DEPTH)],
      ['bytes of one payload', comma(DEFAULT_MAX_BYTES)],
      ['characters of a token', comma(MAX_TOKEN_LENGTH)],
      ['channels of one session', comma(core.maxChannelsPerSession)],
      ['sessions of one user on one instance', comma(core.maxSessionsPerUser)],
      ['bytes that wait for one session', comma(core.outboxBytes)],
      ['messages that wait for one session', comma(core.outboxMessages)],
      ['publications of one `history` reply', comma(HISTORY_LIMIT)],
      ['publications of one resume', comma(core.resumeMessages)],
      ['publications held while one session subscribes', comma(JOIN_BUFFER)],
    ];
    for (const [what, figure] of figures) expect(tableRow('Limits', what)[1], what).toBe(figure);
    const { maxWaitSeconds } = pollingOptions.parse({});
    const lifeMinutes = sseOptions.parse({}).maxStreamMs / 60_000;
    const { count, periodMs } = limitsOptions.parse({}).messageRate;
    expect(tableRow('Limits', 'seconds a poll waits')[1]).toBe(`${maxWaitSeconds}`);
    expect(tableRow('Limits', 'characters of a cursor')[1]).toBe(comma(MAX_CURSOR_LENGTH));
    expect(tableRow('Limits', 'minutes an event stream lives')[1]).toBe(
      `${0.9 * lifeMinutes} to ${lifeMinutes}`,
    );
    expect(tableRow('Limits', 'polls of one user, or of one address of strangers')[1]).toBe(
      `${count} in ${periodMs / 1000} s, ${2 * count} at once; none with an API key`,
    );
    const lengths: [string, number][] = [
      ['channel', MAX_CHANNEL_LENGTH],
      ['event', MAX_EVENT_LENGTH],
      ['user', MAX_USER_LENGTH],
      ['key', MAX_KEY_LENGTH],
    ];
    for (const [name, most] of lengths) expect(tableRow('Frames', name)[1], name).toBe(`1 to ${most}`);
    expect(doc).toContain(`text of 1 to ${MAX_FRAME_ID_LENGTH} characters | marks a request`);
    expect(doc).toContain(`(${comma(core.heartbeatMs)} by default)`);
    expect(doc).toContain(`no subscription ${core.strangerMs / 1000} s after`);
    expect(doc).toContain(`${core.expiryNoticeMs / 1000} s before the token ends`);
    expect(doc).toContain(`A leave waits ${core.leaveGraceMs / 1000} s`);
    expect(doc).toContain(`Clocks may be ${authOptions.parse({}).leewaySeconds} s apart`);
    expect(doc).toContain(`# The protocol \`${SUBPROTOCOL}\``);
  });

  it('nothing in a table with a cell too many or too few', () => {
    let columns = 0;
    for (const line of doc.split('\n')) {
      if (!line.startsWith('|')) columns = 0;
      else if (columns === 0) columns = cellsOf(line).length;
      else expect(cellsOf(line), line).toHaveLength(columns);
    }
    expect(rows.length).toBeGreaterThan(100);
  });
});

describe('docs/protocol.md tells of streams and polls', () => {
  const { heartbeatMs, retryMs, maxStreamMs } = sseOptions.parse({});
  const { defaultWaitSeconds, maxWaitSeconds } = pollingOptions.parse({});

  it('every event of a stream, and no others', () => {
    const told = [...section('Event streams').matchAll(/^\| (`\w+`(?:, `\w+`)*) \| .* \| .* \|$/gm)]
      .map(([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''))
      .flat();
    const { welcome: _onWebSocketsOnly, ...pushes } = PUSHES;
    for (const name of [...Object.keys(pushes), 'ready', 'event', 'close']) expect(told).toContain(name);
  });

  it('the figures of the code', () => {
    const streams = section('Event streams');
    expect(streams).toContain(`, ${comma(heartbeatMs)} by default |`);
    expect(streams).toContain(`from ${comma(retryMs)} to ${comma(2 * retryMs)} at random`);
    expect(streams).toContain(`A stream lives ${maxStreamMs / 60_000} minutes at most`);
    expect(streams).toContain(`\`Last-Event-ID: ${END_ID}\``);
    expect(section('Heartbeat')).toContain(`every ${comma(heartbeatMs)} ms by default`);
    expect(section('Polling')).toContain(
      `0 to ${maxWaitSeconds}, fractions allowed, ${defaultWaitSeconds} when left out`,
    );
    expect(section('Cursors')).toContain(`at most ${comma(MAX_CURSOR_LENGTH)} characters`);
  });

  it('what pages of other origins may do', () => {
    const sent = new Map<string, string>();
    const response = {
      setHeader: (name: string, value: string) => void sent.set(name, value),
      appendHeader: () => {},
      status: () => ({ end: () => {} }),
    };
    const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'GET' };
    const allow = allowCors(new OriginPolicy([headers.origin]));
    allow({ headers, path: '/sse', method: 'OPTIONS' } as never, response as never, () => {});
    const told = section('Pages of other origins (CORS)');
    const lists = ['Allow-Headers', 'Allow-Methods', 'Expose-Headers'].flatMap((name) =>
      (sent.get(`Access-Control-${name}`) ?? '').split(', '),
    );
    expect(lists.length).toBeGreaterThan(10);
    for (const word of lists) expect(told).toContain(`\`${word}\``);
    expect(told).toContain(`kept for ${sent.get('Access-Control-Max-Age')} s`);
  });
});

interface ServerFrame {
  readonly event: string;
  readonly id?: number;
  readonly data: Readonly<Record<string, unknown>>;
}

function examples(kind: 'client' | 'server'): string[] {
  const fences = doc.matchAll(new RegExp(`^\`\`\`json ${kind}\n(.*?)\n\`\`\`$`, 'gms'));
  return [...fences].flatMap(([, body]) => (body ?? '').split('\n'));
}

const REPLIES: ReadonlySet<string> = new Set(['ok', 'error']);

function publication(data: Readonly<Record<string, unknown>>): Publication {
  const { offset = 0, id, event, data: payload, from, time, key } = data;
  return { offset, id, event, data: JSON.stringify(payload), from, time, key } as Publication;
}

/** The frame as the server prints it, from the values the example shows: a field too many, too few or misspelt shows. */
function reprint({ event, id, data }: ServerFrame): string | undefined {
  if (event === 'message') {
    return encodePush({
      type: 'message',
      channel: data['channel'] as string,
      epoch: 'e',
      publication: publication(data),
    });
  }
  if (event !== 'ok') return undefined;
  const messages = ((data['messages'] ?? []) as Record<string, unknown>[]).map(publication);
  const { reason, members } = data;
  if ('recovered' in data) {
    return encodeOk(id, {
      type: 'subscribe',
      result: { ...data, messages, reason, members } as unknown as SubscribeResult,
    });
  }
  if ('duplicate' in data) return encodeOk(id, { type: 'publish', result: data as unknown as PublishResult });
  if ('messages' in data) {
    return encodeOk(id, { type: 'history', result: { ...data, messages } as unknown as HistoryResult });
  }
  return encodeOk(id, {
    type: 'authenticate',
    user: data['user'] as string,
    expiresAt: data['expiresAt'] as number,
  });
}

/** Fields of the pushes that are printed as they are. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  welcome: ['session', 'user', 'heartbeatMs', 'version', 'instance'],
  leave: ['channel', 'member'],
  gap: ['channel', 'epoch', 'from', 'to', 'count', 'reason'],
  expiring: ['expiresAt'],
  reconnect: ['afterMs', 'reason'],
};

describe('in the worked sessions', () => {
  it('there are frames of both sides', () => {
    expect(examples('client').length).toBeGreaterThan(8);
    expect(examples('server').length).toBeGreaterThan(12);
  });

  it.each(examples('client'))('the server reads %s', (text) => {
    const decoded = decodeFrame(text);
    expect(decoded).toMatchObject({ ok: true, id: expect.any(Number) as unknown });
    expect(decoded.ok && RESERVED_EVENTS.has(decoded.command.type)).toBe(true);
  });

  it.each(examples('server'))('the server writes %s', (text) => {
    const frame = JSON.parse(text) as ServerFrame;
    expect(REPLIES.has(frame.event) || frame.event in PUSHES).toBe(true);
    expect(JSON.stringify(frame)).toBe(text);
    expect(reprint(frame) ?? text).toBe(text);
    expect(Object.keys(frame.data)).toEqual(FIELDS[frame.event] ?? Object.keys(frame.data));
    if (frame.event === 'error') {
      const { code, retry } = frame.data as { code: keyof typeof ERRORS; retry: boolean };
      expect(retry).toBe(ERRORS[code].retry);
    }
    for (const [, epoch] of text.matchAll(/"epoch":"([^"]*)"/g)) expect(isEpoch(epoch)).toBe(true);
    for (const [, id] of text.matchAll(/"id":"([^"]*)"/g)) expect(isPublicationId(id)).toBe(true);
  });
});
