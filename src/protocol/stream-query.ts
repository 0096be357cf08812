// What SSE and polling are asked by their address: channels, and a cursor that says where to begin. Pure; knows no transport.

import { decodeCursor, encodedLength, MAX_CURSOR_LENGTH, type Cursor } from './cursor.js';
import { isChannelName } from './names.js';

/** The values of the query as a parser gives them: one text, several, or none. */
export interface RawStreamQuery {
  readonly channel?: unknown;
  readonly cursor?: unknown;
}

export type StreamQuery =
  | { readonly ok: true; readonly channels: readonly string[]; readonly cursor: Cursor }
  | { readonly ok: false; readonly path: string; readonly message: string };

const EMPTY: Cursor = new Map();

/** `lastSeen` is what the client kept by itself (`Last-Event-ID`, `If-None-Match`); `cursor` wins over it only when it is absent. */
export function readStreamQuery(query: RawStreamQuery, lastSeen: string | undefined): StreamQuery {
  const channels = [...new Set(textsOf(query.channel))];
  if (!channels.every(isChannelName)) {
    return bad(
      'channel',
      'must be channel names of 1 to 200 characters without spaces, quotes, braces or "*"',
    );
  }
  const texts = textsOf(query.cursor).filter((text) => text !== '');
  if (texts.length > 1) return bad('cursor', 'may be given once');
  const text = lastSeen === undefined || lastSeen === '' ? texts[0] : lastSeen;
  const cursor = text === undefined ? EMPTY : decodeCursor(text);
  if (cursor === undefined) return bad('cursor', 'is not a cursor of this server');
  const length = channels.reduce((sum, channel) => sum + encodedLength(channel), 0);
  if (length > MAX_CURSOR_LENGTH) {
    return bad('channel', 'are too many or too long for one cursor; use several connections');
  }
  return { ok: true, channels, cursor };
}

/** Anything but texts is nothing we asked for; it fails as a name. */
function textsOf(value: unknown): string[] {
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((entry) => (typeof entry === 'string' ? entry : ' '));
}

function bad(path: string, message: string): StreamQuery {
  return { ok: false, path, message };
}
