// `echo: false` in a shared session: the server would spare all its tabs the copy, so it is not asked to, and the tab that published
// drops its own copy here. Knows no bus.

import type { ClientFrame, ServerFrame } from '../transport.js';

/** Ids of own messages that may still come. One is kept for good when its copy never comes, so the oldest is forgotten. */
const IDS_LIMIT = 256;
const REPLIES: ReadonlySet<string> = new Set(['ok', 'error']);

export class EchoFilter {
  /** Request id → channel of publishes without an answer. */
  readonly #asked = new Map<unknown, string>();
  /** Channel → what came while one of them waits: its copy may be among it. */
  readonly #held = new Map<string, ServerFrame[]>();
  readonly #own = new Set<string>();
  readonly #deliver: (frame: ServerFrame) => void;

  constructor(deliver: (frame: ServerFrame) => void) {
    this.#deliver = deliver;
  }

  /** The frame as the server shall see it. */
  out(frame: ClientFrame): ClientFrame {
    if (frame.event !== 'publish') return frame;
    const { echo, ...data } = JSON.parse(frame.body) as { channel: string; echo?: boolean };
    if (echo !== false) return frame;
    this.#asked.set(frame.id, data.channel);
    if (!this.#held.has(data.channel)) this.#held.set(data.channel, []);
    return { ...frame, body: JSON.stringify(data) };
  }

  in(frame: ServerFrame): void {
    const { event, id, data } = frame;
    if (!REPLIES.has(event)) return this.#push(frame);
    const channel = this.#asked.get(id);
    this.#asked.delete(id);
    if (channel !== undefined && event === 'ok') this.#remember((data as { id: string }).id);
    this.#deliver(frame);
    if (channel !== undefined && ![...this.#asked.values()].includes(channel)) this.#release(channel);
  }

  #push(frame: ServerFrame): void {
    const { channel, id } = (frame.data ?? {}) as { channel?: string; id?: string };
    const held = channel === undefined ? undefined : this.#held.get(channel);
    if (held !== undefined) held.push(frame);
    else if (frame.event !== 'message' || id === undefined || !this.#own.delete(id)) this.#deliver(frame);
  }

  #remember(id: string): void {
    this.#own.add(id);
    const [oldest] = this.#own;
    if (this.#own.size > IDS_LIMIT && oldest !== undefined) this.#own.delete(oldest);
  }

  #release(channel: string): void {
    const held = this.#held.get(channel) ?? [];
    this.#held.delete(channel);
    for (const frame of held) this.#push(frame);
  }
}
