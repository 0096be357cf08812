// Text of a client frame → command, or a coded error. Never throws, never drops; knows no session and no policy.

import { ERRORS, type ErrorCode } from './codes.js';
import { scanFrame, type FrameSpans } from './frame-scan.js';
import {
  HISTORY_LIMIT,
  type Command,
  type Decoded,
  type ErrorBody,
  type ErrorDetail,
  type FrameId,
} from './frames.js';
import { isChannelName, isEventName, isKey } from './names.js';
import { readPosition, type Position } from './position.js';

/** Objects and arrays inside one another, the frame itself counted. */
export const MAX_DEPTH = 32;
export const MAX_FRAME_ID_LENGTH = 64;
/** A JWT of more than 8 KiB is refused before anything parses it. */
export const MAX_TOKEN_LENGTH = 8192;

type Fields = Readonly<Record<string, unknown>>;
type Reader = (data: Fields, spans: FrameSpans, faults: ErrorDetail[]) => Command;

export function decodeFrame(text: string): Decoded {
  const spans = scanFrame(text, MAX_DEPTH);
  if (spans === undefined) return malformed(undefined, `The frame nests deeper than ${MAX_DEPTH} levels.`);
  const frame = parseObject(text);
  if (frame === undefined) return malformed(undefined, 'The frame is not one JSON object.');
  const { event, id, data } = frame as { event?: unknown; id?: unknown; data?: unknown };
  if (id !== undefined && !isFrameId(id)) {
    return malformed(
      undefined,
      `"id" must be a safe integer or a string of 1 to ${MAX_FRAME_ID_LENGTH} characters.`,
    );
  }
  if (!isEventName(event)) return malformed(id, '"event" must be a name of 1 to 64 characters.');
  if (data !== undefined && !isObject(data)) return malformed(id, '"data" must be an object.');
  const own =
    text.length < LARGE_FRAME
      ? spans
      : { data: owned(spans.data, text.length), payload: owned(spans.payload, text.length) };
  return readCommand(event, id, data ?? {}, own);
}

export function errorBody(code: ErrorCode, message: string, extra?: Partial<ErrorBody>): ErrorBody {
  return { code, message, retry: ERRORS[code].retry, ...extra };
}

function malformed(id: FrameId | undefined, message: string): Decoded {
  return { ok: false, id, error: errorBody('invalid_frame', message) };
}

function parseObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFrameId(id: unknown): id is FrameId {
  if (typeof id === 'number') return Number.isSafeInteger(id);
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_FRAME_ID_LENGTH;
}

function readCommand(event: string, id: FrameId | undefined, data: Fields, spans: FrameSpans): Decoded {
  const reader = READERS.get(event);
  if (reader === undefined)
    return { ok: true, id, command: { type: 'custom', event, data: spans.data ?? '{}' } };
  const faults: ErrorDetail[] = [];
  const command = reader(data, spans, faults);
  if (faults.length === 0) return { ok: true, id, command };
  const [first] = faults as [ErrorDetail, ...ErrorDetail[]];
  return {
    ok: false,
    id,
    error: errorBody('invalid_data', `"${first.path}" ${first.message}.`, { details: faults }),
  };
}

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['authenticate', (data, _spans, faults) => ({ type: 'authenticate', token: token(data['token'], faults) })],
  [
    'subscribe',
    (data, _spans, faults) => ({
      type: 'subscribe',
      channel: channel(data['channel'], faults),
      since: since(data['since'], faults),
      presence: flag('presence', data['presence'], { or: false, faults }),
    }),
  ],
  [
    'unsubscribe',
    (data, _spans, faults) => ({ type: 'unsubscribe', channel: channel(data['channel'], faults) }),
  ],
  ['publish', readPublish],
  [
    'history',
    (data, _spans, faults) => ({
      type: 'history',
      channel: channel(data['channel'], faults),
      since: since(data['since'], faults),
      limit: limit(data['limit'], faults),
      reverse: flag('reverse', data['reverse'], { or: false, faults }),
    }),
  ],
  ['presence', (data, _spans, faults) => ({ type: 'presence', channel: channel(data['channel'], faults) })],
  ['ping', () => ({ type: 'ping' })],
]);

/** Names a team may not use for its own events. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set(READERS.keys());

function readPublish(data: Fields, spans: FrameSpans, faults: ErrorDetail[]): Command {
  const event = data['event'];
  if (!isEventName(event)) faults.push({ path: 'event', message: 'must be a name of 1 to 64 characters' });
  return {
    type: 'publish',
    channel: channel(data['channel'], faults),
    event: event as string,
    data: spans.payload ?? 'null',
    key: key('key', data['key'], faults),
    idempotencyKey: key('idempotencyKey', data['idempotencyKey'], faults),
    echo: flag('echo', data['echo'], { or: true, faults }),
  };
}

/** Characters of a frame from which it is worth a copy not to keep it alive for a small part of it. */
const LARGE_FRAME = 4096;

/** A cut-out string holds on to the text it was cut from, for as long as the log keeps it. Printing and parsing makes its own. */
function owned(part: string | undefined, length: number): string | undefined {
  if (part === undefined || part.length * 2 > length) return part;
  return JSON.parse(JSON.stringify(part)) as string;
}

function channel(value: unknown, faults: ErrorDetail[]): string {
  if (isChannelName(value)) return value;
  faults.push({
    path: 'channel',
    message: 'must be a channel name of 1 to 200 characters without spaces, quotes, braces or "*"',
  });
  return '';
}

function token(value: unknown, faults: ErrorDetail[]): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= MAX_TOKEN_LENGTH) return value;
  faults.push({ path: 'token', message: `must be a string of 1 to ${MAX_TOKEN_LENGTH} characters` });
  return '';
}

function since(value: unknown, faults: ErrorDetail[]): Position | undefined {
  if (value === undefined || value === null) return undefined;
  const position = readPosition(value);
  if (position === undefined) {
    faults.push({
      path: 'since',
      message: 'must be a position {epoch, offset, id?} with a whole offset of 0 or more',
    });
  }
  return position;
}

function key(path: string, value: unknown, faults: ErrorDetail[]): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (isKey(value)) return value;
  faults.push({
    path,
    message: 'must be a string of 1 to 128 characters without control characters or quotes',
  });
  return undefined;
}

function flag(path: string, value: unknown, { or, faults }: { or: boolean; faults: ErrorDetail[] }): boolean {
  if (value === undefined || value === null) return or;
  if (typeof value === 'boolean') return value;
  faults.push({ path, message: 'must be true or false' });
  return or;
}

function limit(value: unknown, faults: ErrorDetail[]): number {
  if (value === undefined || value === null) return HISTORY_LIMIT;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= HISTORY_LIMIT)
    return value;
  faults.push({ path: 'limit', message: `must be a whole number from 1 to ${HISTORY_LIMIT}` });
  return HISTORY_LIMIT;
}
