// The four ways to read channels, each as a reader of the tests: WebSocket, SSE, long polling, short polling. Knows their wires.

import { decodeCursor, encodeCursor } from '../../src/protocol/cursor.js';
import type { Position } from '../../src/protocol/position.js';
import { poll, type PollBody } from './poll-client.js';
import { openSse, sseRefused, type Ready, type SseClient, type SseEvent } from './sse-client.js';
import {
  Reader,
  type OpenOptions,
  type Place,
  type ReaderEvent,
  type Refusal,
  type TransportAdapter,
} from './transport-reader.js';
import { connect, Refused, type Frame, type WsClient } from './ws-client.js';

/** Seconds of one long poll. Long enough that only traffic ends it, short enough for a test that has lost its way. */
const LONG_WAIT = 10;
/** Milliseconds between short polls. */
const SHORT_PAUSE = 10;

const PUSHES: ReadonlySet<string> = new Set<ReaderEvent>([
  'message',
  'gap',
  'expiring',
  'reconnect',
  'subscribed',
  'unsubscribed',
]);

function tokenOf(place: Place, { user, claims, token }: OpenOptions): { readonly token?: string } {
  if (token !== undefined) return { token };
  return user === undefined ? {} : { token: place.token(user, claims) };
}

/** Its channels may change while it is connected. */
export class WsReader extends Reader {
  private readonly positions = new Map<string, Position>();

  private readonly replies = new Map<unknown, (frame: Frame) => void>();
  private client: WsClient | undefined;
  private lastId = 0;

  static async connect(place: Place, options: OpenOptions): Promise<WsReader> {
    const reader = new WsReader();
    const onText = (text: Buffer): void => reader.hear(JSON.parse(text.toString('utf8')) as Frame);
    reader.client = await connect(place.wsUrl, { ...tokenOf(place, options), onText });
    void reader.client.closed.then(({ code }) => reader.end(code === 1006 ? 'lost' : code));
    return reader;
  }

  /** The reply to a subscribe. It is seen in its place among the pushes. */
  subscribe(channel: string, since: Position | undefined): Promise<Frame> {
    return this.request('subscribe', { channel, since });
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.request('unsubscribe', { channel });
    this.positions.delete(channel);
  }

  private request(event: string, data: object): Promise<Frame> {
    const id = ++this.lastId;
    const reply = new Promise<Frame>((resolve) => this.replies.set(id, resolve));
    this.client?.send({ event, id, data });
    return Promise.race([
      reply,
      this.ended.then((how) => {
        throw new Error(`The socket ended (${how}) before its reply.`);
      }),
    ]);
  }

  cursor(): string {
    return encodeCursor(this.positions);
  }

  pause(): void {
    this.client?.stopReading();
  }

  resume(): void {
    this.client?.readOn();
  }

  cut(): void {
    this.end('cut');
    this.client?.cut();
  }

  private hear(frame: Frame): void {
    if (!this.isOpen) return;
    const { event, data } = frame;
    if (event === 'welcome') this.session = data.session;
    if (event === 'ok' && 'recoverable' in data) this.enter(data);
    if (event === 'subscribed') this.stand(data);
    if (event === 'message' && data.offset !== undefined)
      this.stand({ ...data, epoch: this.epochOf(data.channel) });
    if (event === 'gap') this.stand({ ...data, offset: data['to'] as number, id: '' });
    if (PUSHES.has(event)) this.happen(event as ReaderEvent, data);
    if (frame.id !== undefined) this.replies.get(frame.id)?.(frame);
  }

  private enter(data: Frame['data']): void {
    const { channel } = data;
    const reason = data['reason'] as string | undefined;
    this.begin({ channel, recovered: data['recovered'] === true, reason });
    this.stand(data);
    for (const message of data.messages) this.happen('message', message);
  }

  private stand({ channel, epoch, offset, id }: Position & { readonly channel: string }): void {
    this.positions.set(channel, { epoch, offset, id });
  }

  private epochOf(channel: string): string {
    const position = this.positions.get(channel);
    if (position === undefined) throw new Error(`A message of ${channel} came outside a subscription.`);
    return position.epoch;
  }
}

export const WS: TransportAdapter = {
  name: 'ws',
  traits: { session: true, ephemeral: true },
  open: async (place, channels, options = {}) => {
    const reader = await WsReader.connect(place, options);
    const since = options.cursor === undefined ? undefined : decodeCursor(options.cursor);
    for (const channel of channels) {
      const { event, data } = await reader.subscribe(channel, since?.get(channel));
      if (event !== 'ok') throw new Error(`The subscribe was refused: ${JSON.stringify(data)}`);
    }
    return reader;
  },
  refusal: async (place, channels, options = {}) => {
    try {
      const reader = await WsReader.connect(place, options);
      for (const channel of channels) {
        const { event, data } = await reader.subscribe(channel, undefined);
        if (event === 'error') return { code: data.code, status: undefined };
      }
    } catch (error) {
      if (error instanceof Refused) return { code: error.code, status: error.status };
      throw error;
    }
    throw new Error('Nothing was refused.');
  },
};

class SseReader extends Reader {
  private code: number | undefined;

  constructor(
    private readonly client: SseClient,
    ready: Ready,
  ) {
    super();
    this.session = ready.session;
    for (const { channel, recovered, reason } of ready.channels) this.begin({ channel, recovered, reason });
    for (const event of client.events.slice(1)) this.hear(event);
    client.onEvent = (event) => this.hear(event);
    void client.closed.then(({ clean }) => this.end(this.code ?? (clean ? 'end' : 'lost')));
  }

  cursor(): string {
    return this.client.lastEventId;
  }

  pause(): void {
    this.client.pause();
  }

  resume(): void {
    this.client.resume();
  }

  cut(): void {
    this.end('cut');
    this.client.destroy();
  }

  private hear({ event, data }: SseEvent): void {
    if (!this.isOpen) return;
    if (event === 'close') this.code = data.code as unknown as number;
    else if (PUSHES.has(event)) this.happen(event as ReaderEvent, data);
  }
}

export const SSE: TransportAdapter = {
  name: 'sse',
  traits: { session: true, ephemeral: true },
  open: async (place, channels, options = {}) => {
    const client = await openSse(place.url, channels, { ...tokenOf(place, options), cursor: options.cursor });
    return new SseReader(client, await client.ready());
  },
  refusal: async (place, channels, options = {}) => {
    const { problem, status } = await sseRefused(place.url, channels, tokenOf(place, options));
    return { code: problem['code'], status };
  },
};

/** Answered with something else than 200. */
class PollRefused extends Error {
  constructor(readonly refusal: Refusal) {
    super(`The poll was refused: ${JSON.stringify(refusal)}`);
  }
}

interface PollWay {
  readonly place: Place;
  readonly channels: readonly string[];
  readonly wait: number;
  readonly pauseMs: number;
  readonly credential: { readonly token?: string };
}

class PollReader extends Reader {
  private at = '';
  private abort = new AbortController();
  private running = false;

  private constructor(private readonly way: PollWay) {
    super();
  }

  static async open(way: PollWay, cursor: string | undefined): Promise<PollReader> {
    const answer = await poll(way.place.url, way.channels, { cursor, wait: 0, ...way.credential });
    if (answer.status !== 200) throw new PollRefused({ code: answer.problem['code'], status: answer.status });
    const reader = new PollReader(way);
    const since = cursor === undefined ? undefined : decodeCursor(cursor);
    const { gaps = [] } = answer.body;
    for (const channel of way.channels) {
      const refused = gaps.find((gap) => gap.channel === channel);
      const recovered = since?.has(channel) === true && refused === undefined;
      reader.begin({ channel, recovered, reason: refused?.reason });
    }
    reader.take({ ...answer.body, gaps: [] });
    reader.resume();
    return reader;
  }

  cursor(): string {
    return this.at;
  }

  pause(): void {
    this.running = false;
    this.abort.abort();
  }

  resume(): void {
    if (this.running || !this.isOpen) return;
    this.running = true;
    this.abort = new AbortController();
    void this.run(this.abort.signal);
  }

  cut(): void {
    this.pause();
    this.end('cut');
  }

  private async run(signal: AbortSignal): Promise<void> {
    const { place, channels, wait, pauseMs, credential } = this.way;
    while (!signal.aborted) {
      try {
        const answer = await poll(place.url, channels, { cursor: this.at, wait, signal, ...credential });
        if (signal.aborted) return;
        if (answer.status !== 200) return this.end(String(answer.problem['code']));
        this.take(answer.body);
      } catch {
        if (!signal.aborted) this.end('lost');
        return;
      }
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  private take({ messages, gaps = [], cursor }: PollBody): void {
    this.at = cursor;
    for (const gap of gaps) this.happen('gap', gap);
    for (const { type, ...message } of messages) {
      if (type !== 'message') throw new Error(`A poll brought a ${type}.`);
      this.happen('message', message);
    }
  }
}

function polling(name: TransportAdapter['name'], ephemeral: boolean, wait: number): TransportAdapter {
  const wayOf = (place: Place, channels: readonly string[], options: OpenOptions): PollWay => ({
    place,
    channels,
    wait,
    pauseMs: wait === 0 ? SHORT_PAUSE : 0,
    credential: tokenOf(place, options),
  });
  return {
    name,
    traits: { session: false, ephemeral },
    open: (place, channels, options = {}) => PollReader.open(wayOf(place, channels, options), options.cursor),
    refusal: async (place, channels, options = {}) => {
      try {
        (await PollReader.open(wayOf(place, channels, options), options.cursor)).cut();
      } catch (error) {
        if (error instanceof PollRefused) return error.refusal;
        throw error;
      }
      throw new Error('Nothing was refused.');
    },
  };
}

export const LONG_POLLING = polling('long polling', true, LONG_WAIT);
export const SHORT_POLLING = polling('short polling', false, 0);

export const TRANSPORTS: readonly TransportAdapter[] = [WS, SSE, LONG_POLLING, SHORT_POLLING];
