// The wire format of server-sent events (WHATWG HTML §9.2): one event, made once for all readers. Nothing from outside can break a line.

import { gapMark } from '../../core/backlog.js';
import type { Frame, Mark } from '../../core/batch.js';
import type { WireFormat } from '../../core/ports/link.js';
import { encodeCursor, encodeEntry, joinEntries } from '../../protocol/cursor.js';
import { encodePushData } from '../../protocol/encode.js';
import type { Decoded, Push } from '../../protocol/frames.js';
import { errorBody } from '../../protocol/decode.js';

const LINE_FEED = 0x0a;
const ONE_WAY: Decoded = {
  ok: false,
  id: undefined,
  error: errorBody('invalid_frame', 'A stream of events takes nothing in.'),
};

export interface EventParts {
  readonly event: string;
  /** JSON text; line breaks between its tokens may be there. */
  readonly data: string;
  /** A cursor or another text without line breaks and NUL. Absent: the reader keeps the last one. */
  readonly id?: string | undefined;
}

/** CR, LF and CRLF all end a line of a stream, so each line of the data gets its own field; the reader joins them by LF. */
export function eventText({ event, data, id }: EventParts): string {
  const lines = /[\r\n]/.test(data) ? data.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : data;
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${lines}\n\n`;
}

/**
 * Frames that move a reader carry the cursor of their own channel alone, which is the whole cursor of a stream with one channel.
 * A stream with several puts its own in that place: `withId`.
 */
export const SSE_EVENTS: WireFormat = {
  name: 'sse',
  decode: () => ONE_WAY,
  push: (push) => Buffer.from(eventText({ event: eventOf(push), data: dataOf(push), id: idOf(push) })),
  ok: () => Buffer.alloc(0),
  error: () => Buffer.alloc(0),
};

/** The event of a frame with another id, or with none. Frames with a mark begin with their `id:` line. */
export function withId({ bytes }: Frame, id: string | undefined): Buffer[] {
  const event = bytes.subarray(bytes.indexOf(LINE_FEED) + 1);
  return id === undefined ? [event] : [Buffer.from(`id: ${id}\n`), event];
}

/** Events of a team's own gateway have names of their own, so they are wrapped. */
function eventOf(push: Push): string {
  return push.type === 'custom' ? 'event' : push.type;
}

function dataOf(push: Push): string {
  if (push.type === 'custom') return `{"event":${JSON.stringify(push.event)},"data":${push.data}}`;
  return encodePushData(push);
}

function idOf(push: Push): string | undefined {
  if (push.type === 'message') {
    const { channel, epoch, publication } = push;
    const { offset, id } = publication;
    return offset === 0 ? undefined : joinEntries([encodeEntry(channel, { epoch, offset, id })]);
  }
  const mark = push.type === 'gap' ? gapMark(push) : undefined;
  if (mark !== undefined) return cursorAt(mark);
  return push.type === 'subscribed' ? cursorAt(push.result) : undefined;
}

function cursorAt(mark: Mark): string {
  return encodeCursor(new Map([[mark.channel, mark]]));
}
