// The worked sessions of streams and polls in docs/protocol.md: each is made again from its values by the code that writes to clients.
import { readFileSync } from 'node:fs';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { toProblem } from '../../src/api/problem.js';
import { gapFrame } from '../../src/core/backlog.js';
import { OwnBatch, type Frame } from '../../src/core/batch.js';
import type { Core } from '../../src/core/core.js';
import { TrunklineError } from '../../src/core/errors.js';
import { DEFAULT_POLICY } from '../../src/core/policy.js';
import type { ErrorCode } from '../../src/protocol/codes.js';
import { decodeCursor, encodeCursor, type Cursor } from '../../src/protocol/cursor.js';
import type { Push } from '../../src/protocol/frames.js';
import type { Position } from '../../src/protocol/position.js';
import type { GapReason, Publication, SubscribeResult } from '../../src/protocol/publication.js';
import { PollAnswer } from '../../src/transports/polling/polling.answer.js';
import { SSE_EVENTS } from '../../src/transports/sse/sse.format.js';
import { openStream } from '../../src/transports/sse/sse.opening.js';
import type { SseStream } from '../../src/transports/sse/sse.stream.js';
import type { SseStreams } from '../../src/transports/sse/sse.streams.js';
import { SYSTEM_CLOCK } from '../../src/core/ports/time.js';

const doc = readFileSync(fileURLToPath(new URL('../../docs/protocol.md', import.meta.url)), 'utf8');

function fences(kind: string): string[] {
  return [...doc.matchAll(new RegExp(`^\`\`\`${kind}\n(.*?)^\`\`\`$`, 'gms'))].map(([, body]) => body ?? '');
}

type Fields = Readonly<Record<string, unknown>>;

interface Block {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Fields;
}

/** One event, or a comment, which has the name ':'. */
function readBlock(text: string): Block {
  if (text === ':') return { event: ':', id: undefined, data: {} };
  const lines = new Map(
    text.split('\n').map((line) => {
      const cut = line.indexOf(': ');
      return [line.slice(0, cut), line.slice(cut + 2)] as const;
    }),
  );
  const { event = '', data = '{}', id } = Object.fromEntries(lines);
  return { event, id, data: JSON.parse(data) as Fields };
}

function publicationOf({ offset = 0, data, id, event, from, time, key }: Fields): Publication {
  return { offset, id, event, data: JSON.stringify(data), from, time, key } as Publication;
}

function positionAfter(id: string | undefined, channel: unknown): Position | undefined {
  return id === undefined ? undefined : decodeCursor(id)?.get(channel as string);
}

/** What the core would hand to the stream for this event. */
function frameOf({ event, id, data }: Block): Frame {
  const channel = data['channel'] as string;
  const at = positionAfter(id, channel);
  if (event === 'message') {
    const push: Push = {
      type: 'message',
      channel,
      epoch: at?.epoch ?? 'e',
      publication: publicationOf(data),
    };
    return {
      bytes: SSE_EVENTS.push(push),
      droppable: undefined,
      mark: at === undefined ? undefined : { channel, ...at },
    };
  }
  const push = { type: event, ...data } as Push;
  const bytes = SSE_EVENTS.push(push);
  return push.type === 'gap' ? gapFrame(push, bytes) : { bytes, droppable: undefined };
}

interface Opened {
  readonly stream: SseStream;
  readonly head: string;
  readonly written: () => Promise<string>;
}

/** A stream of the real kind on a response that keeps its bytes; what `ready` says comes from `results`. */
async function open(results: readonly SubscribeResult[], ready: Fields, retryMs: number): Promise<Opened> {
  const out: Buffer[] = [];
  const socket = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      out.push(bytes);
      done();
    },
  }) as Socket;
  Object.assign(socket, { setTimeout: () => socket });
  const response = new ServerResponse(new IncomingMessage(socket));
  response.assignSocket(socket);
  let stream: SseStream | undefined;
  const core = {
    instance: ready['instance'],
    admission: { check: () => {} },
    resumeBounds: { resumeMessages: Infinity, resumeBytes: Infinity },
    addSession: ({ link }: { link: SseStream }) => {
      stream = link;
      const subscriptions = new Map(results.map((one) => [one.channel, one]));
      return { id: ready['session'], user: ready['user'], ended: false, link, subscriptions };
    },
    subscriber: {
      checkCount: () => {},
      subscribe: (_session: unknown, { channel }: { channel: string }) =>
        Promise.resolve({ result: results.find((one) => one.channel === channel), activate: () => {} }),
    },
    greet: () => Promise.resolve(),
  };
  const end = { closeTimeoutMs: 100, clock: SYSTEM_CLOCK };
  const streams = { retryMs: () => retryMs, keep: () => {}, forget: () => {}, ...end };
  const cursor = decodeCursor(ready['cursor'] as string) as Cursor;
  await openStream(
    {
      core: core as unknown as Core,
      streams: streams as unknown as SseStreams,
      heartbeatMs: ready['heartbeatMs'] as number,
    },
    {
      identity: { kind: 'user', user: 'ana', join: [] } as never,
      channels: results.map(({ channel }) => channel),
      cursor,
      presence: () => ({ events: true, members: true }),
    },
    response,
  );
  // Node holds the head and the first bytes back until the turn ends.
  await turn();
  const text = (): string => Buffer.concat(out).toString('utf8');
  return {
    stream: stream as SseStream,
    head: text().split('\r\n\r\n')[0] ?? '',
    written: async () => {
      await turn();
      return text().slice(text().indexOf('\r\n\r\n') + 4);
    },
  };
}

/** Writes the rest of a session to its stream. */
function play(stream: SseStream, blocks: readonly Block[]): void {
  for (const block of blocks) {
    const { event, data } = block;
    if (event === ':') stream.ping();
    else if (event === 'close') stream.close(data['code'] as number, data['reason'] as string);
    else stream.write(new OwnBatch([frameOf(block)]));
  }
}

/** The whole session as the server writes it, from the values of the example. */
async function rewrite(text: string): Promise<string> {
  const [head = '', ...rest] = text.trimEnd().split('\n\n');
  const blocks = rest.map(readBlock);
  const ready = blocks[0] as Block;
  const live = blocks.slice(1);
  const results = (ready.data['channels'] as (Fields & { replayed: number })[]).map(
    ({ replayed, ...entry }) => {
      expect(RESULT.filter((field) => field in entry)).toEqual(Object.keys(entry));
      const messages = live.splice(0, replayed).map(({ data }) => publicationOf(data));
      return { ...entry, messages } as unknown as SubscribeResult;
    },
  );
  const retryMs = Number(head.slice('retry: '.length));
  const { stream, written } = await open(results, { ...ready.data, cursor: ready.id }, retryMs);
  play(stream, live);
  return await written();
}

/** Fields of an entry of `ready`, in the order in which the core puts them into a result. */
const RESULT = [
  ...['epoch', 'offset', 'id', 'channel', 'recoverable', 'recovered'],
  ...['reason', 'messages', 'members'],
];

const sessions = fences('sse').filter((text) => text.startsWith('retry: '));
const endings = fences('sse').filter((text) => !text.startsWith('retry: '));

describe('docs/protocol.md shows streams', () => {
  it('that begin and that end', () => {
    expect(sessions.length).toBeGreaterThan(2);
    expect(endings.length).toBeGreaterThan(1);
  });

  it('with the head that the server sends', async () => {
    const { head } = await open([], { session: 's', heartbeatMs: 1, cursor: '1~' }, 1);
    for (const line of ['Content-Type', 'Cache-Control', 'X-Accel-Buffering']) {
      const sent = head.split('\r\n').find((one) => one.startsWith(`${line}: `));
      expect(doc.replaceAll('\n', ' ')).toContain(`\`${sent}\``);
    }
    expect(head).toContain('Connection: close');
    expect(head).not.toMatch(/Transfer-Encoding|Content-Length/);
  });

  it.each(sessions)('as the server writes them: %s', async (text) => {
    expect(await rewrite(text)).toBe(text);
  });

  it.each(endings)('that end as the server ends them: %s', async (text) => {
    const { stream, written } = await open([], { session: 's', heartbeatMs: 1, cursor: '1~' }, 1);
    const before = (await written()).length;
    play(stream, text.trimEnd().split('\n\n').map(readBlock));
    expect((await written()).slice(before)).toBe(text);
  });
});

interface PollExample {
  readonly messages: readonly Fields[];
  readonly cursor: string;
  readonly gaps?: readonly {
    channel: string;
    epoch: string;
    from: number;
    to: number;
    reason: GapReason;
  }[];
}

/** The same answer, made from where the reader stood before and where each channel stands now. */
function pollAgain({ messages, cursor, gaps = [] }: PollExample): string {
  const after = decodeCursor(cursor) as Cursor;
  const before = new Map(
    gaps.map(({ channel, epoch, from, reason }) => [
      channel,
      { epoch: reason === 'epoch_changed' ? 'another' : epoch, offset: from - 1, id: 'seen' },
    ]),
  );
  const answer = new PollAnswer(before);
  for (const [channel, position] of after) {
    const gap = gaps.find((one) => one.channel === channel);
    const conflates = gap?.reason === 'conflated';
    answer.addState({
      channel,
      position,
      policy: { ...DEFAULT_POLICY, overflow: conflates ? 'conflate' : 'disconnect' },
      messages: messages.filter((one) => one['channel'] === channel).map(publicationOf),
      reason: conflates ? 'expired' : (gap?.reason as SubscribeResult['reason']),
    });
  }
  return answer.body;
}

describe('docs/protocol.md shows polls', () => {
  it('with messages and with gaps', () => {
    expect(fences('json poll').length).toBeGreaterThan(3);
  });

  it.each(fences('json poll'))('as the server answers them: %s', (text) => {
    const example = JSON.parse(text) as PollExample;
    expect(encodeCursor(decodeCursor(example.cursor) as Cursor)).toBe(example.cursor);
    expect(pollAgain(example)).toBe(text.trimEnd());
  });

  it.each(fences('json problem'))('as the server refuses them: %s', (text) => {
    const { code, detail, channel } = JSON.parse(text) as Record<string, string>;
    const error = new TrunklineError(code as ErrorCode, detail ?? '', { channel });
    expect(JSON.stringify(toProblem(error))).toBe(text.trimEnd());
  });
});

describe('the curl lines of docs/protocol.md', () => {
  const lines = fences('sh').filter((text) => text.includes('curl '));

  it('are there', () => {
    expect(lines.length).toBeGreaterThan(3);
  });

  it.each(lines)('have cursors that the server reads, safe from the shell: %s', (line) => {
    for (const [text, quote = '', cursor = ''] of line.matchAll(/(["'])[^"']*?(1~[^"']*)\1/g)) {
      expect(decodeCursor(cursor), text).toBeDefined();
      expect(quote).toBe("'");
    }
    expect(line).toMatch(/channel=chat:lobby/);
  });
});
