// Readers without the client: WebSocket, event stream and polls by hand, each session resumed at once on another instance.

import { decodeCursor, encodeCursor } from '../../src/protocol/cursor.js';
import type { Position } from '../../client/src/index.js';
import { poll } from '../support/poll-client.js';
import { openSse, type SseClient } from '../support/sse-client.js';
import { connect, type Frame, type FrameData, type WsClient } from '../support/ws-client.js';
import type { Instance } from './cluster.js';
import type { Track } from './track.js';

/** Milliseconds for an instance to take a connection; one that stands still takes none. */
const OPEN_MS = 4000;
/** Seconds of one poll. */
const POLL_WAIT = 3;
/** Milliseconds a poll may take over its wait. */
const POLL_SLACK_MS = 4000;
/** Between two polls, as a user far away has it. Without it there would be a poll for each message. */
const POLL_REST_MS = 25;

/** One session. Resolves `over` when it has ended, by itself or by `cut`. */
export interface Session {
  readonly over: Promise<void>;
  cut(): void;
}

export interface Entering {
  readonly instance: Instance;
  readonly channels: readonly string[];
  readonly track: Track;
}

/** Opens a session from where the track stands. Rejects when it was refused or nobody answered. */
export type Wire = (entering: Entering) => Promise<Session>;

interface Told extends Partial<Position> {
  readonly recovered?: boolean;
  readonly reason?: string;
}

/** A reader that stood nowhere begins; one that stood somewhere goes on, or is told why not. */
export function enter(track: Track, channel: string, told: Told): void {
  const { epoch = '', offset = 0, id = '', recovered = false, reason } = told;
  const position = { epoch, offset, id };
  if (!track.positions.has(channel)) track.begin(channel, position);
  else if (!recovered) track.begin(channel, position, reason ?? 'no reason');
}

/** What lies before `to` is lost to this reader, and it was told so. */
export function gap(track: Track, data: FrameData): void {
  const { channel, epoch } = data;
  track.begin(channel, { epoch, offset: Number(data['to']), id: '' }, String(data['reason']));
}

function limited<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} took over ${ms} ms.`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Subscribes to each channel with its own frame. */
export class WsWire implements Session {
  readonly over: Promise<void>;
  private readonly waiting = new Map<number, (frame: Frame) => void>();
  private lastId = 0;
  private ended = false;

  private constructor(
    private readonly track: Track,
    private readonly client: WsClient,
  ) {
    this.over = client.closed.then(({ code }) => {
      this.ended = true;
      track.note(`closed ${code}`);
      for (const answer of this.waiting.values()) answer({ event: 'lost', data: {} as Frame['data'] });
    });
  }

  static async open({ instance, channels, track }: Entering): Promise<WsWire> {
    const early: Frame[] = [];
    const made: { wire?: WsWire } = {};
    const onText = (text: Buffer): void => {
      const frame = JSON.parse(text.toString()) as Frame;
      if (made.wire === undefined) early.push(frame);
      else made.wire.hear(frame);
    };
    const ws = { handshakeTimeout: OPEN_MS };
    const client = await connect(instance.wsUrl, { token: instance.token(track.name), onText, ws });
    const wire = new WsWire(track, client);
    made.wire = wire;
    for (const frame of early) wire.hear(frame);
    try {
      await limited(Promise.all(channels.map((channel) => wire.subscribe(channel))), OPEN_MS, 'Subscribing');
    } catch (error) {
      wire.cut();
      throw error;
    }
    return wire;
  }

  cut(): void {
    this.ended = true;
    this.client.cut();
  }

  async subscribe(channel: string): Promise<void> {
    const { event, data } = await this.ask('subscribe', {
      channel,
      since: this.track.positions.get(channel),
    });
    if (event !== 'ok') throw new Error(`The subscribe was answered ${event} ${data.code}.`);
  }

  /** Nothing of the channel may follow the answer. */
  async unsubscribe(channel: string): Promise<void> {
    await this.ask('unsubscribe', { channel });
  }

  private ask(event: string, data: object): Promise<Frame> {
    const id = ++this.lastId;
    const answer = new Promise<Frame>((resolve) => this.waiting.set(id, resolve));
    this.client.send({ event, id, data });
    return answer;
  }

  private hear({ event, id, data }: Frame): void {
    const { track } = this;
    if (this.ended) return;
    if (event === 'message') track.message(data.channel, data);
    else if (event === 'gap') gap(track, data);
    else if (event === 'ok' && 'recoverable' in data) {
      enter(track, data.channel, data);
      for (const message of data.messages) track.message(data.channel, message);
    } else if (event === 'unsubscribed') this.cut();
    if (typeof id !== 'number') return;
    const answer = this.waiting.get(id);
    this.waiting.delete(id);
    // In the same step: what comes after an unsubscribe is judged by what was written before it.
    if (event === 'ok' && answer !== undefined && !('recoverable' in data) && 'channel' in data)
      track.leave(data.channel);
    answer?.({ event, data });
  }
}

export const WS_WIRE: Wire = (entering) => WsWire.open(entering);

export const SSE_WIRE: Wire = async ({ instance, channels, track }) => {
  const cursor = cursorOf(track);
  const token = instance.token(track.name);
  let given = true;
  const opening = openSse(instance.url, channels, {
    token,
    cursor,
    onEvent: ({ event, data }) => {
      if (!given) return;
      if (event === 'ready') {
        for (const told of data['channels'] as readonly (Told & { readonly channel: string })[])
          enter(track, told.channel, told);
      } else if (event === 'message') track.message(data.channel, data);
      else if (event === 'gap') gap(track, data);
    },
  });
  const client: SseClient = await limited(opening, OPEN_MS, 'The stream').catch((error: unknown) => {
    // One that comes late is not read any more: the reader has gone on elsewhere.
    given = false;
    void opening.then(
      (late) => late.destroy(),
      () => {},
    );
    throw error;
  });
  return {
    over: client.closed.then(({ clean }) => track.note(`stream ended${clean ? '' : ' broken'}`)),
    cut: () => client.destroy(),
  };
};

export const POLL_WIRE: Wire = async ({ instance, channels, track }) => {
  const token = instance.token(track.name);
  const abort = new AbortController();
  const ask = async (cursor: string | undefined, wait: number): Promise<string> => {
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(wait * 1000 + POLL_SLACK_MS)]);
    const { body } = await poll(instance.url, channels, { token, cursor, wait, signal });
    const positions = decodeCursor(body.cursor) ?? new Map<string, Position>();
    for (const channel of channels) {
      const at = positions.get(channel);
      if (at !== undefined && !track.positions.has(channel)) track.begin(channel, at);
    }
    for (const { channel, epoch, to, reason } of body.gaps ?? [])
      track.begin(channel, { epoch, offset: to, id: '' }, reason);
    for (const message of body.messages) {
      const { channel, offset } = message;
      // A breach is judged from the history alone; the answer that made it would be hard to guess.
      const next = (track.positions.get(channel)?.offset ?? 0) + 1;
      if (offset !== next)
        track.note(`asked with ${cursor}, was answered ${JSON.stringify({ ...body, messages: offset })}`);
      track.message(channel, message);
    }
    return body.cursor;
  };
  let cursor = await ask(cursorOf(track), 0);
  const run = async (): Promise<void> => {
    while (!abort.signal.aborted) {
      cursor = await ask(cursor, POLL_WAIT);
      await new Promise((resolve) => setTimeout(resolve, POLL_REST_MS));
    }
  };
  return {
    over: run().catch((error: unknown) => track.note(`poll failed: ${String(error)}`)),
    cut: () => abort.abort(),
  };
};

function cursorOf({ positions }: Track): string | undefined {
  return positions.size === 0 ? undefined : encodeCursor(positions);
}
