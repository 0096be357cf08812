// Opens one stream: every channel joined before the first byte, so that a refusal is still an HTTP status. Knows no Nest.

import type { ServerResponse } from 'node:http';
import type { Core } from '../../core/core.js';
import { TrunklineError } from '../../core/errors.js';
import type { Identity } from '../../core/identity.js';
import { errorOfClose, putOff, sinceOf, subscribeAll } from '../../core/joint.js';
import type { Session } from '../../core/session.js';
import type { Subscribed } from '../../core/subscriber.js';
import { CLOSE, NO_CLOSE_CODE } from '../../protocol/codes.js';
import type { Cursor } from '../../protocol/cursor.js';
import { encodeMessage } from '../../protocol/encode.js';
import { PROTOCOL_VERSION } from '../../protocol/frames.js';
import type { Position } from '../../protocol/position.js';
import type { SubscribeResult } from '../../protocol/publication.js';
import { eventText, SSE_EVENTS } from './sse.format.js';
import { SseStream } from './sse.stream.js';
import type { SseStreams } from './sse.streams.js';

export interface StreamRequest {
  readonly identity: Identity;
  readonly channels: readonly string[];
  readonly cursor: Cursor;
  /** Whether joins and leaves of a channel are wanted, and its members in `ready`. */
  readonly presence: (channel: string) => { readonly events: boolean; readonly members: boolean };
}

export interface OpeningParts {
  readonly core: Core;
  readonly streams: SseStreams;
  readonly heartbeatMs: number;
}

/** A proxy that buffers or rewrites would hold back events; a cache that keeps them would give them to others. */
const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** Rejects, and writes nothing, when the stream may not be. */
export async function openStream(
  { core, streams, heartbeatMs }: OpeningParts,
  request: StreamRequest,
  response: ServerResponse,
): Promise<void> {
  const { identity, channels, cursor, presence } = request;
  core.admission.check(identity);
  const stream = new SseStream(response, streams);
  const session = core.addSession({ identity, format: SSE_EVENTS, link: stream });
  stream.session = session;
  // It may have gone while its credential was checked, and then nobody tells us any more.
  if (stream.abandoned) return session.closed(NO_CLOSE_CODE);
  const joined = await join(core, session, { channels, cursor, presence });
  if (stream.closedEarly !== undefined) throw errorOfClose(stream.closedEarly);
  if (session.ended) return;
  const all = joined.map(({ result }) => result);
  const later = putOff(all, core.resumeBounds);
  const results = all.map((result, at) => (later.has(at) ? unread(result, cursor) : result));
  for (const result of results) stream.place(result.channel, startOf(result, cursor));
  // Where it stands in channels that the server will join it to, until that is done.
  for (const [channel, position] of cursor) if (!channels.includes(channel)) stream.place(channel, position);
  const ready = {
    session: session.id,
    user: session.user,
    heartbeatMs,
    version: PROTOCOL_VERSION,
    instance: core.instance,
    channels: results.map((result) => readyEntry(result, presence(result.channel).members)),
  };
  writeHead(response);
  stream.start(firstBytes(stream, `retry: ${streams.retryMs()}\n\n`, { ready, results }));
  streams.keep(stream);
  if (later.size > 0) {
    session.push({ type: 'reconnect', afterMs: 0, reason: 'there is more to catch up with' });
    return session.close(CLOSE.moved);
  }
  for (const { activate } of joined) activate();
  void core.greet(session, cursor).then(() => stream.keepOnly(session.subscriptions));
}

/** As if nothing had been read: the next stream brings it. */
function unread(result: SubscribeResult, cursor: Cursor): SubscribeResult {
  return { ...result, ...cursor.get(result.channel), messages: [] };
}

async function join(
  core: Core,
  session: Session,
  { channels, cursor, presence }: Omit<StreamRequest, 'identity'>,
): Promise<readonly Subscribed[]> {
  const requests = channels.map((channel) => ({
    channel,
    since: sinceOf(cursor.get(channel)),
    presence: presence(channel).events,
  }));
  try {
    return await subscribeAll(core.subscriber, session, requests);
  } catch (error) {
    // What ended the session meanwhile says more than the subscribe that failed by it.
    const early = (session.link as SseStream).closedEarly;
    session.close(CLOSE.normal);
    throw early === undefined ? error : errorOfClose(early);
  }
}

/** Where the reader stands before the messages that follow `ready`. */
function startOf(result: SubscribeResult, cursor: Cursor): Position {
  const since = cursor.get(result.channel);
  return result.recovered && since !== undefined ? since : result;
}

function readyEntry(result: SubscribeResult, withMembers: boolean): object {
  const { messages, members, ...place } = result;
  return { ...place, replayed: messages.length, members: withMembers ? members : undefined };
}

function firstBytes(
  stream: SseStream,
  head: string,
  { ready, results }: { ready: object; results: readonly SubscribeResult[] },
): Buffer {
  const parts = [head, eventText({ event: 'ready', data: JSON.stringify(ready), id: stream.cursor })];
  for (const { channel, epoch, messages } of results) {
    for (const publication of messages) {
      const { offset, id } = publication;
      const cursor = stream.step({ channel, epoch, offset, id });
      parts.push(eventText({ event: 'message', data: encodeMessage(channel, publication), id: cursor }));
    }
  }
  return Buffer.from(parts.join(''));
}

function writeHead(response: ServerResponse): void {
  if (response.headersSent) throw new TrunklineError('internal', 'The head of a stream was sent already.');
  // The end of the connection ends the stream, as in HTTP/1.0: no piece of chunked coding around each event.
  response.useChunkedEncodingByDefault = false;
  response.shouldKeepAlive = false;
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  response.appendHeader('Vary', 'Origin, Cookie, Authorization');
  response.writeHead(200);
}
