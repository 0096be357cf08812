// A reader of Server-Sent Events over plain HTTP that keeps every event from the first byte on. It knows the format and no rule of the server.

import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createParser } from 'eventsource-parser';
import type { FrameData } from './ws-client.js';

/** Longest wait for one event, in ms. On loopback it takes about 1 ms; the rest is for a busy machine. */
const STEP_LIMIT_MS = 8000;
/** Bytes kept of what came, for tests of the wire itself. */
const RAW_LIMIT = 1_000_000;

export interface SseEvent {
  readonly event: string;
  /** Of this event's own `id:` line; undefined when it had none. */
  readonly id: string | undefined;
  readonly text: string;
  /** Parsed on use. */
  readonly data: FrameData;
}

/** How the stream of one channel begins, as `ready` tells it. */
export interface ReadyChannel {
  readonly channel: string;
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly recoverable: boolean;
  readonly recovered: boolean;
  readonly reason?: string;
  readonly replayed: number;
  readonly members?: FrameData['members'];
}

export interface Ready {
  readonly session: string;
  readonly user?: string;
  readonly heartbeatMs: number;
  readonly version: number;
  readonly channels: readonly ReadyChannel[];
}

export interface SseOptions {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cursor?: string | undefined;
  /** Sent as the header, beside or instead of `cursor`. */
  readonly lastEventId?: string | undefined;
  /** More of the query, such as `presence`. */
  readonly query?: readonly (readonly [string, string])[];
  readonly path?: string;
  readonly method?: string;
  /** For https: the certificate to trust. */
  readonly ca?: string | Buffer;
  /** Hears each event instead of the queue; for tests with more than should be kept. */
  readonly onEvent?: (event: SseEvent) => void;
}

export interface SseEnd {
  /** False when the connection broke in the midst of the response. */
  readonly clean: boolean;
}

/** The server answered with something else than a stream. */
export class SseRefused extends Error {
  constructor(
    readonly status: number,
    readonly headers: IncomingHttpHeaders,
    readonly body: string,
  ) {
    super(`The stream was refused with ${status}: ${body}`);
    this.name = 'SseRefused';
  }

  get problem(): Readonly<Record<string, unknown>> {
    return JSON.parse(this.body) as Record<string, unknown>;
  }
}

/** Every stream that was opened and not yet ended, so that no test leaves one behind. */
const open = new Set<SseClient>();

export function disposeStreams(): void {
  for (const client of [...open]) client.destroy();
}

export function sseUrl(base: string, channels: readonly string[], options: SseOptions = {}): URL {
  const url = new URL(options.path ?? '/sse', base);
  for (const channel of channels) url.searchParams.append('channel', channel);
  for (const [name, value] of options.query ?? []) url.searchParams.append(name, value);
  if (options.cursor !== undefined) url.searchParams.set('cursor', options.cursor);
  return url;
}

/** Resolves when the headers of a stream have come; rejects with `SseRefused` for any other answer. `ready` stays in the queue. */
export async function openSse(
  base: string,
  channels: readonly string[],
  options: SseOptions = {},
): Promise<SseClient> {
  const response = await answer(sseUrl(base, channels, options), options);
  const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true;
  if (response.statusCode === 200 && isStream) return new SseClient(response, options.onEvent);
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk as string;
  throw new SseRefused(response.statusCode ?? 0, response.headers, body);
}

/** The refusal of a stream; an error when it was opened. */
export async function sseRefused(
  base: string,
  channels: readonly string[],
  options: SseOptions = {},
): Promise<SseRefused> {
  try {
    await openSse(base, channels, options);
  } catch (error) {
    if (error instanceof SseRefused) return error;
    throw error;
  }
  throw new Error('The stream was opened.');
}

function answer(url: URL, { token, headers, lastEventId, method, ca }: SseOptions): Promise<IncomingMessage> {
  const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = make(url, {
      method: method ?? 'GET',
      // A connection of its own, as a browser's stream has.
      agent: false,
      ...(ca === undefined ? {} : { ca }),
      headers: {
        accept: 'text/event-stream',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        ...headers,
      },
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end();
  });
}

type Filter = (event: SseEvent) => boolean;

interface Waiter {
  readonly matches: Filter;
  readonly resolve: (event: SseEvent) => void;
  readonly reject: (error: Error) => void;
}

export class SseClient {
  readonly headers: IncomingHttpHeaders;
  /** All events in the order they came, taken or not. */
  readonly events: SseEvent[] = [];
  readonly comments: string[] = [];
  /** Values of `retry:` lines, in ms. */
  readonly retries: number[] = [];
  readonly closed: Promise<SseEnd>;
  /** As a browser keeps it: the last `id:` line, whatever event it stood in. */
  lastEventId = '';
  bytes = 0;
  /** When the last byte came, by `performance.now()`. */
  lastByteAt = 0;
  private readonly raw: Buffer[] = [];
  private readonly unread: SseEvent[] = [];
  private readonly waiters = new Set<Waiter>();
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  private end: SseEnd | undefined;
  private fault: Error | undefined;
  private readonly parser = createParser({
    onEvent: ({ id, event, data }) => this.receive(id, event ?? 'message', data),
    onComment: (comment) => void this.comments.push(comment),
    onRetry: (ms) => void this.retries.push(ms),
    onError: (error) => void (this.fault ??= error),
  });

  constructor(
    readonly response: IncomingMessage,
    public onEvent?: (event: SseEvent) => void,
  ) {
    open.add(this);
    this.headers = response.headers;
    response.on('data', (chunk: Buffer) => this.feed(chunk));
    response.on('error', () => {});
    this.closed = new Promise((resolve) => {
      response.once('close', () => {
        open.delete(this);
        this.end = { clean: response.complete };
        resolve(this.end);
        for (const waiter of [...this.waiters])
          waiter.reject(this.fault ?? new Error(`The stream ended (${JSON.stringify(this.end)})`));
      });
    });
  }

  get isOpen(): boolean {
    return this.end === undefined;
  }

  /** What came, as text; throws when the bytes or a line are not what a strict parser takes. */
  get text(): string {
    this.check();
    return Buffer.concat(this.raw).toString('utf8');
  }

  check(): void {
    if (this.fault !== undefined) throw this.fault;
  }

  /** The first event, which tells how each channel begins. */
  async ready(): Promise<Ready> {
    const event = await this.take('the first event', () => true);
    if (event.event !== 'ready') throw new Error(`The first event is ${event.event} ${event.text}`);
    return event.data as unknown as Ready;
  }

  /** The oldest event of this name that nobody took yet; waits for it. */
  next(event: string, filter: Filter = () => true, limitMs?: number): Promise<SseEvent> {
    return this.take(`an event ${event}`, (one) => one.event === event && filter(one), limitMs);
  }

  /** Events of this name that came and nobody took. */
  pending(event: string, filter: Filter = () => true): readonly SseEvent[] {
    this.check();
    return this.unread.filter((one) => one.event === event && filter(one));
  }

  /** Stops reading from TCP: what the server sends stays in the kernels. */
  pause(): void {
    this.response.pause();
  }

  resume(): void {
    this.response.resume();
  }

  /** Ends TCP. */
  destroy(): void {
    this.response.destroy();
  }

  private take(what: string, matches: Filter, limitMs = STEP_LIMIT_MS): Promise<SseEvent> {
    if (this.fault !== undefined) return Promise.reject(this.fault);
    const at = this.unread.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.unread.splice(at, 1)[0] as SseEvent);
    if (this.end !== undefined)
      return Promise.reject(new Error(`The stream has ended; ${what} did not come.`));
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
      };
      const timer = setTimeout(() => waiter.reject(new Error(`Nothing within ${limitMs} ms`)), limitMs);
      const waiter: Waiter = {
        matches,
        resolve: (event) => (done(), resolve(event)),
        reject: (error) => (
          done(),
          reject(new Error(`${error.message} while waiting for ${what}. ${this.story()}`))
        ),
      };
      this.waiters.add(waiter);
    });
  }

  private feed(chunk: Buffer): void {
    this.lastByteAt = performance.now();
    if (this.bytes < RAW_LIMIT) this.raw.push(chunk);
    this.bytes += chunk.length;
    try {
      this.parser.feed(this.decoder.decode(chunk, { stream: true }));
    } catch (error) {
      this.fault ??= error as Error;
    }
    if (this.fault !== undefined) this.destroy();
  }

  private receive(id: string | undefined, name: string, text: string): void {
    if (id !== undefined) this.lastEventId = id;
    let parsed: FrameData | undefined;
    const event: SseEvent = {
      event: name,
      id,
      text,
      get data() {
        return (parsed ??= JSON.parse(text) as FrameData);
      },
    };
    if (this.onEvent !== undefined) return this.onEvent(event);
    this.events.push(event);
    for (const waiter of this.waiters) {
      if (!waiter.matches(event)) continue;
      waiter.resolve(event);
      return;
    }
    this.unread.push(event);
  }

  private story(): string {
    const last = this.unread.slice(-5).map(({ event, text }) => `${event} ${text.slice(0, 200)}`);
    return `Unread: ${this.unread.length}, the last of them ${last.join(' ')}`;
  }
}
