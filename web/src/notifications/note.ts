// A notification as the page keeps it, read from a message. Pure.

import type { Message } from 'trunkline-client';
import { safeLink, type SafeLink } from './links.js';

export interface Note {
  readonly id: string;
  readonly title: string;
  readonly body: string;
  readonly link: SafeLink | undefined;
  /** Milliseconds since 1970 by the server's clock. */
  readonly time: number;
  /** Position in the channel, for notes of the same millisecond. */
  readonly offset: number;
}

/** Undefined for what is no notification: a channel may carry what others put in by other ways. */
export function noteOf(message: Message, origin: string): Note | undefined {
  const { data, id, time, offset = 0 } = message;
  if (message.event !== 'notification' || typeof data !== 'object' || data === null) return undefined;
  const { title, body, url } = data as Record<'title' | 'body' | 'url', unknown>;
  if (typeof title !== 'string' || title.trim() === '') return undefined;
  return {
    id,
    title,
    body: typeof body === 'string' ? body : '',
    link: safeLink(url, origin),
    time,
    offset,
  };
}

export function newerFirst(a: Note, b: Note): number {
  return b.time - a.time || b.offset - a.offset;
}
