// A cursor: positions of several channels in one opaque string, the same for every transport. Knows no transport.

import { isChannelName } from './names.js';
import { formatPosition, parsePosition, type Position } from './position.js';

export type Cursor = ReadonlyMap<string, Position>;

/** Longest cursor text we read. 109 channels with names of 20 letters fit at their longest; a header or URL of 8 KiB does too. */
export const MAX_CURSOR_LENGTH = 8192;

const VERSION = '1~';
const ENTRY = '~';
const FIELD = '!';

/** Epoch of 22 characters, offset of 16 digits, id of 11, and the signs between. */
const POSITION_LENGTH = 53;

/** Characters one channel takes in a cursor, at most. */
export function encodedLength(channel: string): number {
  return escapeName(channel).length + POSITION_LENGTH;
}

/** The entry of one channel, for who builds many cursors of the same channels. */
export function encodeEntry(channel: string, position: Position): string {
  return `${escapeName(channel)}${FIELD}${formatPosition(position)}`;
}

/** From entries as `encodeEntry` makes them. */
export function joinEntries(entries: Iterable<string>): string {
  return VERSION + [...entries].join(ENTRY);
}

/** Letters, digits and `-_.~!%` only, so it is safe in a header, a URL and an SSE `id:` line. */
export function encodeCursor(positions: Cursor): string {
  return joinEntries([...positions].map(([channel, position]) => encodeEntry(channel, position)));
}

export function decodeCursor(text: string): Cursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH || !text.startsWith(VERSION)) return undefined;
  const cursor = new Map<string, Position>();
  const body = text.slice(VERSION.length);
  if (body === '') return cursor;
  for (const entry of body.split(ENTRY)) {
    const cut = entry.indexOf(FIELD);
    const channel = cut < 0 ? undefined : unescapeName(entry.slice(0, cut));
    const position = cut < 0 ? undefined : parsePosition(entry.slice(cut + 1));
    if (!isChannelName(channel) || position === undefined || cursor.has(channel)) return undefined;
    cursor.set(channel, position);
  }
  return cursor;
}

function escapeName(channel: string): string {
  return encodeURIComponent(channel).replace(
    /[!'()*~]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function unescapeName(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
