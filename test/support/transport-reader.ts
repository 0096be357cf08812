// What a reader of channels sees, whatever its transport: how each channel began, what happened in order, where it stands. Knows no transport.

import { until } from './wait.js';
import type { Message } from './ws-client.js';

export type ReaderEvent = 'message' | 'gap' | 'expiring' | 'reconnect' | 'subscribed' | 'unsubscribed';

export interface Gap {
  readonly channel: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly reason: string;
}

export interface Happening {
  readonly type: ReaderEvent;
  readonly data: Message & Gap & Readonly<Record<string, unknown>>;
  /** When it was seen, by `performance.now()`. */
  readonly at: number;
}

/** How a channel began for this reader. */
export interface Beginning {
  readonly channel: string;
  readonly recovered: boolean;
  /** Why the position was refused; undefined when none was given or it was taken. */
  readonly reason: string | undefined;
}

export interface OpenOptions {
  /** A stranger when left out. */
  readonly user?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Instead of a token of `user`. */
  readonly token?: string;
  readonly cursor?: string | undefined;
}

/** Where a reader connects to. */
export interface Place {
  readonly url: string;
  readonly wsUrl: string;
  token(user: string, claims?: Record<string, unknown>): string;
}

export interface Refusal {
  readonly code: unknown;
  /** Of the HTTP answer; undefined when the refusal came in a frame. */
  readonly status: number | undefined;
}

export interface Traits {
  /** It has a session: it is told `subscribed`, `expiring`, `reconnect`, and can be spared its own copies. */
  readonly session: boolean;
  /** It hears events that are not kept. */
  readonly ephemeral: boolean;
}

/** One way to read channels. */
export interface TransportAdapter {
  readonly name: 'ws' | 'sse' | 'long polling' | 'short polling';
  readonly traits: Traits;
  open(place: Place, channels: readonly string[], options?: OpenOptions): Promise<Reader>;
  refusal(place: Place, channels: readonly string[], options?: OpenOptions): Promise<Refusal>;
}

type Filter = (happening: Happening) => boolean;

/** Every reader that was opened and not yet disposed, so that no test leaves one behind. */
const open = new Set<Reader>();

export function disposeReaders(): void {
  for (const reader of [...open]) reader.cut();
  open.clear();
}

/** The adapters fill it: `begin`, `happen`, `end`. */
export abstract class Reader {
  readonly begun = new Map<string, Beginning>();
  session: string | undefined;
  /** The close code, or the code of the answer that ended it; 'lost' when the connection broke. */
  readonly ended: Promise<number | string>;
  private readonly all: Happening[] = [];
  private readonly unread: Happening[] = [];
  private finish: (how: number | string) => void = () => {};
  private over: number | string | undefined;

  constructor() {
    open.add(this);
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  /** Everything in the order it came. */
  get seen(): readonly Happening[] {
    return this.all;
  }

  get isOpen(): boolean {
    return this.over === undefined;
  }

  /** Where it stands after all that was seen, for a resume on any transport. */
  abstract cursor(): string;

  /** Stops reading; what the server sends waits wherever it waits on this transport. */
  abstract pause(): void;
  abstract resume(): void;

  /** Ends the connection without a word. What comes after is not seen. */
  abstract cut(): void;

  /** The oldest happening of this type that nobody took yet; waits for it. */
  async next(type: ReaderEvent, filter: Filter = () => true): Promise<Happening> {
    const find = (): number => this.unread.findIndex((one) => one.type === type && filter(one));
    const what = `a ${type}`;
    await until(() => find() >= 0 || this.over !== undefined, what);
    const at = find();
    if (at < 0) throw new Error(`The reader has ended (${this.over}); ${what} did not come.`);
    return this.unread.splice(at, 1)[0] as Happening;
  }

  /** The payloads of the next messages. */
  async payloads(count: number): Promise<readonly unknown[]> {
    const list: unknown[] = [];
    while (list.length < count) list.push((await this.next('message')).data.data);
    return list;
  }

  /** What came of this type and nobody took. */
  pending(type: ReaderEvent): readonly Happening[] {
    return this.unread.filter((one) => one.type === type);
  }

  messages(channel: string): readonly Message[] {
    return this.all
      .filter(({ type, data }) => type === 'message' && data.channel === channel)
      .map(({ data }) => data);
  }

  gaps(channel: string): readonly Gap[] {
    return this.all
      .filter(({ type, data }) => type === 'gap' && data.channel === channel)
      .map(({ data }) => data);
  }

  protected begin(beginning: Beginning): void {
    this.begun.set(beginning.channel, beginning);
  }

  protected happen(type: ReaderEvent, data: unknown): void {
    const happening = { type, data: data as Happening['data'], at: performance.now() };
    this.all.push(happening);
    this.unread.push(happening);
  }

  protected end(how: number | string): void {
    if (this.over !== undefined) return;
    open.delete(this);
    this.over = how;
    this.finish(how);
  }
}
